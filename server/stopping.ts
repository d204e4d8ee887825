/**
 * Lives here: the daemon's stop, as calls see it: streams end at once, other
 * calls may end what they do. Does not know: sockets, what a call does.
 */
import { setMaxListeners } from 'node:events';

/** A stop that will come. */
export class Stopping {
  readonly #controller = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #calls = 0;

  constructor() {
    // Every stream listens.
    setMaxListeners(0, this.signal);
  }

  /** Aborted when the daemon begins to stop. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The daemon stops. */
  begin(): void {
    this.#controller.abort();
  }

  /** Something is begun that must be done to its end. */
  enter(): void {
    this.#calls += 1;
  }

  /** It is done. */
  leave(): void {
    this.#calls -= 1;
    if (this.#calls === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Settles when nothing is being done that must be done to its end. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#calls === 0) resolve();
      else this.#waiting.push(resolve);
    });
  }
}
