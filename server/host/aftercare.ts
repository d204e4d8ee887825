/**
 * Lives here: taking away what networks share once none needs it any more: not
 * at once, since a network that is stopped is often started again, and who
 * stops one need not wait for it. Does not know: what is taken away.
 */
import type { Log } from '../log.js';

/** What comes after the last network. */
export interface Aftercare {
  /** A network has let go of something: looks in a while whether anything is needed by none. */
  due(): Promise<void>;
  /** Something failed, and must leave nothing: looks now. What fails in it is logged. */
  now(): Promise<void>;
  /** Looks now, if it was to look. */
  close(): Promise<void>;
}

/**
 * Opens it.
 *
 * @param work takes away what no network needs; it looks again itself whether that is so
 * @param lingerMs how long after a network let go, in milliseconds; 0: at once, and `due` waits for it and throws as it does
 */
export function openAftercare(work: () => Promise<void>, lingerMs: number, log: Log): Aftercare {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  const run = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    return running = work().catch((error: unknown) => log.warn({ err: error }, 'what no network needs any more could not be taken away'));
  };
  return {
    due: async () => {
      if (lingerMs === 0) return work();
      timer ??= setTimeout(() => void run(), lingerMs);
    },
    now: run,
    close: async () => {
      if (timer !== undefined) await run();
      else await running;
    },
  };
}
