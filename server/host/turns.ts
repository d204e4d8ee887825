/**
 * Lives here: steps that take turns: what is read in one must still hold when
 * it is changed. Does not know: what they do.
 */

/** Does a step when all asked for before are done, whatever became of them. */
export type Turns = <T>(step: () => Promise<T>) => Promise<T>;

/** Begins a row of steps. */
export function openTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (step) => {
    const next = last.then(step, step);
    last = next.catch(() => undefined);
    return next;
  };
}
