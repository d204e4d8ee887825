/**
 * Lives here: doing together what is asked for at about the same time: while
 * one run is under way, what comes in waits and goes into the next one, so a
 * hundred networks take a few transactions and a single one waits for nobody.
 * Does not know: what is run.
 */

/** How many go into one run at most. */
const mostAtOnce = 64;

/** Something that gathers. */
export interface Gathering<T> {
  /** Asks for one; settles as its run does, or as its own run if the common one failed. */
  add(item: T): Promise<void>;
}

interface Waiting<T> {
  item: T;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Begins to gather.
 *
 * @param run does several at once, all of them or none: if it fails for
 * several, each is run again alone, so that the error is that one's own
 */
export function openGathering<T>(run: (items: readonly T[]) => Promise<void>): Gathering<T> {
  const waiting: Waiting<T>[] = [];
  let running = false;
  const settle = async (batch: readonly Waiting<T>[]): Promise<void> => {
    try {
      await run(batch.map(({ item }) => item));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      const [first, ...others] = batch;
      if (others.length === 0) first?.reject(error);
      else for (const one of batch) await settle([one]);
    }
  };
  return {
    add: (item) => new Promise<void>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (running) return;
      running = true;
      void (async () => {
        // What is asked for in the same breath goes together.
        await Promise.resolve();
        while (waiting.length > 0) await settle(waiting.splice(0, mostAtOnce));
        running = false;
      })();
    }),
  };
}
