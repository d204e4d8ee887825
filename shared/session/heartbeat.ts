/**
 * Lives here: finding out that the other side of a session is gone though its
 * connection stands. The same on both ends. Does not know: frames, gRPC.
 */

/** How patient one is with a silent peer. */
export interface Patience {
  /** It is asked whether it is there after this long without a word, in milliseconds. */
  pingAfterMs: number;
  /** It is given up after this long without an answer, in milliseconds. */
  answerWithinMs: number;
}

/** What to do about a silent peer. */
export interface HeartbeatActions {
  /** Asks. */
  ping(): void;
  /** Gives it up, or excuses it: then it has as much time again. */
  silent(): void;
}

/** Watches a peer. Costs a note of the time for each message, and a timer that does not keep the process alive. */
export class Heartbeat {
  readonly #patience: Patience;
  readonly #actions: HeartbeatActions;
  #heard = performance.now();
  #asked: number | undefined;
  #stopped = false;
  #timer: NodeJS.Timeout;

  constructor(patience: Patience, actions: HeartbeatActions) {
    this.#patience = patience;
    this.#actions = actions;
    this.#timer = setTimeout(() => this.#look(), patience.pingAfterMs).unref();
  }

  /** It said something; or we did not listen, and cannot blame it. */
  heard(): void {
    this.#heard = performance.now();
    this.#asked = undefined;
  }

  /** Nobody cares any more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const { pingAfterMs, answerWithinMs } = this.#patience;
    if (this.#asked === undefined && now - this.#heard >= pingAfterMs) {
      this.#asked = now;
      this.#actions.ping();
    }
    if (this.#asked !== undefined && now - this.#asked >= answerWithinMs) {
      this.heard();
      this.#actions.silent();
    }
    if (this.#stopped) return;
    const due = this.#asked === undefined ? this.#heard + pingAfterMs : this.#asked + answerWithinMs;
    // At least a moment: timers may come a little early.
    this.#timer = setTimeout(() => this.#look(), Math.max(1, due - now)).unref();
  }
}
