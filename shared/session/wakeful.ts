/**
 * Lives here: staying awake for what comes soon. Where one side answers in a
 * tenth of a millisecond, going to sleep and being woken on another processor
 * takes longer than the answer. The same on both ends of a session. Does not
 * know: frames, gRPC.
 *
 * It costs nothing while nobody calls: who has waited longer than `soonMs`
 * the last time sleeps as usual, and so does a machine with one processor.
 */
import { availableParallelism } from 'node:os';

/** What comes within this long is soon, in milliseconds; and so long does one stay awake for it. */
const soonMs = 0.25;

const processors = availableParallelism();

/** Waits for one thing at a time. */
export class Wakeful {
  readonly #able: boolean;
  #since: number | undefined;
  #soon = false;
  #awake = false;

  constructor(able = processors > 1) {
    this.#able = able;
  }

  /** From now on something is waited for. */
  expect(): void {
    if (!this.#able) return;
    this.#since = performance.now();
    if (!this.#soon || this.#awake) return;
    this.#awake = true;
    setImmediate(this.#turn);
  }

  /** It has come. */
  came(): void {
    if (this.#since === undefined) return;
    this.#soon = performance.now() - this.#since < soonMs;
    this.#since = undefined;
  }

  /** Once for each look of the event loop at what has arrived. */
  readonly #turn = (): void => {
    this.#awake = this.#since !== undefined && performance.now() - this.#since < soonMs;
    if (this.#awake) setImmediate(this.#turn);
  };
}
