/** Lives here: how long to wait before another attempt. Does not know: at what. */

/** Times between attempts: this long at first, twice as long each time, at most this long. In milliseconds. */
export interface BackOffTimes {
  first: number;
  longest: number;
}

/** Waits longer each time, and never quite as long as others do. */
export class BackOff {
  readonly #times: BackOffTimes;
  #nextMs: number;

  constructor(times: BackOffTimes) {
    this.#times = times;
    this.#nextMs = times.first;
  }

  /** An attempt succeeded. */
  reset(): void {
    this.#nextMs = this.#times.first;
  }

  /** Waits, until the signal comes if it comes first, and at most so many milliseconds. */
  async wait(signal?: AbortSignal, mostMs = Infinity): Promise<void> {
    const ms = Math.min(this.#nextMs * (0.75 + Math.random() / 2), mostMs);
    this.#nextMs = Math.min(this.#nextMs * 2, this.#times.longest);
    await pause(ms, signal);
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
    if (signal?.aborted) done();
  });
}
