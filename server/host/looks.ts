/**
 * Lives here: when something is looked at that may have changed: soon after it
 * was heard of, one look at a time, none before the rest after the last one is
 * over. Does not know: what is looked at.
 */

/** The looks at one thing. */
export interface Looks {
  /** Looks after this long, in milliseconds, if not sooner; never before a rest is over. */
  soon(delayMs: number): void;
  /** No look before this time, as performance.now() has it, also none that was due. */
  restUntil(timeMs: number): void;
  /** The time before which there is no look. */
  readonly restUntilMs: number;
  /** Settles when the looks that have begun are over. */
  over(): Promise<void>;
  /** Looks no more. Waits for a look that is under way. */
  close(): Promise<void>;
}

/** Opens looks. @param look looks once; never throws */
export function openLooks(look: () => Promise<void>): Looks {
  return new TimedLooks(look);
}

class TimedLooks implements Looks {
  restUntilMs = -Infinity;
  private timer: NodeJS.Timeout | undefined;
  private dueMs = Infinity;
  private looking: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(private readonly look: () => Promise<void>) {}

  soon(delayMs: number): void {
    const now = performance.now();
    const dueMs = Math.max(now + delayMs, this.restUntilMs);
    if (this.closed || (this.timer !== undefined && this.dueMs <= dueMs)) return;
    clearTimeout(this.timer);
    this.dueMs = dueMs;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (performance.now() < this.restUntilMs) return this.soon(0);
      this.looking = this.looking.then(this.look);
    }, dueMs - now).unref();
  }

  restUntil(timeMs: number): void {
    this.restUntilMs = timeMs;
  }

  over(): Promise<void> {
    return this.looking;
  }

  close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    return this.looking;
  }
}
