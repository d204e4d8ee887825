/**
 * Lives here: doing together what is asked for at about the same time: while
 * one run is under way, what comes in waits and goes into the next one, so a
 * hundred networks take a few transactions and a single one waits for nobody.
 * Does not know: what is run.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';

/** Something that gathers. */
export interface Gathering<T> {
  /** Asks for one; settles as its run does, or as its own run if the common one failed. */
  add(item: T): Promise<void>;
}

/** The items of a run that failed, each with its own error. */
export type Failures<T> = ReadonlyMap<T, unknown>;

interface Waiting<T> {
  item: T;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Begins to gather.
 *
 * @param run does several at once and gives those that failed, if it can tell;
 * or does all of them or none: if it throws for several, each is run again
 * alone, so that the error is that one's own
 * @param mostAtOnce how many go into one run: who comes during a run waits for its end
 */
export function openGathering<T>(run: (items: readonly T[]) => Promise<Failures<T> | void>, mostAtOnce = 128): Gathering<T> {
  const waiting: Waiting<T>[] = [];
  let running = false;
  const settle = async (batch: readonly Waiting<T>[]): Promise<void> => {
    try {
      const failures = await run(batch.map(({ item }) => item));
      for (const { item, resolve, reject } of batch) {
        if (failures?.has(item)) reject(failures.get(item));
        else resolve();
      }
    } catch (error) {
      const [first, ...others] = batch;
      if (others.length === 0) first?.reject(error);
      else for (const one of batch) await settle([one]);
    }
  };
  /** What is asked for in the same breath goes together: it ends with a turn of the event loop that brings no more. */
  const lull = async (): Promise<void> => {
    for (let seen = 0; seen < waiting.length && waiting.length < mostAtOnce;) {
      seen = waiting.length;
      await nextTurn();
    }
  };
  return {
    add: (item) => new Promise<void>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (running) return;
      running = true;
      void (async () => {
        await lull();
        while (waiting.length > 0) await settle(waiting.splice(0, mostAtOnce));
        running = false;
      })();
    }),
  };
}

/**
 * Reads once for all who ask at about the same time. Who asks while a read is
 * under way gets what the next one finds, so that no answer is older than its
 * question. They get the same object.
 */
export function openShared<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  return () => {
    if (next !== undefined) return next;
    const begin = (): Promise<T> => {
      next = undefined;
      const reading = read();
      running = reading;
      return reading;
    };
    next = running.then(begin, begin);
    return next;
  };
}
