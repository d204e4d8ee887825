/**
 * Lives here: the way back. Does not know: what is undone.
 */
import type { Log } from '../log.js';

/** The steps that undo what was done so far. */
export interface WayBack {
  /**
   * Adds a step; to be called before what it undoes is begun, so that a
   * failure half-way is undone as well.
   */
  push(what: string, step: () => Promise<unknown>): void;
  /**
   * Runs the steps, the last one first, each whether or not others fail. Their
   * failures are logged, so that they never hide what led here.
   */
  go(): Promise<void>;
}

/** Begins a way back. */
export function openWayBack(log: Log): WayBack {
  const steps: { what: string; step: () => Promise<unknown> }[] = [];
  return {
    push: (what, step) => void steps.push({ what, step }),
    async go() {
      for (const { what, step } of steps.splice(0).reverse()) {
        try {
          await step();
        } catch (error) {
          log.error({ err: error, step: what }, 'a step of a failed start could not be undone');
        }
      }
    },
  };
}

/**
 * Waits for steps that run side by side; those that are not needed are
 * undefined. If one fails, the others are waited
 * for all the same, so that nothing moves any more when the way back begins.
 *
 * @throws the first failure
 */
export async function together(...steps: (Promise<unknown> | undefined)[]): Promise<void> {
  try {
    await Promise.all(steps);
  } catch (error) {
    await Promise.allSettled(steps);
    throw error;
  }
}
