/**
 * Lives here: how many responses of a stream the client wants. Does not know:
 * frames, gRPC.
 */

/** The most credit that one call can have; see session.proto. */
export const creditLimit = 2 ** 31 - 1;

/** The credit of one call. */
export class Credit {
  #left: number;
  #wake: (() => void) | undefined;

  constructor(first: number) {
    this.#left = first;
  }

  /** The client wants more. Gives false, and changes nothing, if it would be more than the limit. */
  add(more: number): boolean {
    if (this.#left + more > creditLimit) return false;
    this.#left += more;
    if (more > 0) this.#wake?.();
    return true;
  }

  /** Takes one, as soon as there is one, or the signal says that nobody cares. */
  async take(over: AbortSignal): Promise<void> {
    while (this.#left === 0 && !over.aborted) await this.#more(over);
    if (!over.aborted) this.#left -= 1;
  }

  #more(over: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        over.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      over.addEventListener('abort', done, { once: true });
      this.#wake = done;
    });
  }
}
