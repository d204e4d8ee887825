/**
 * Lives here: a stream's messages between their arrival and whoever reads
 * them. Does not know: where they come from.
 */

/** Messages that wait to be read, in the order in which they came. */
export class Inflow<T> {
  #messages: T[] = [];
  #at = 0;
  #over = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  push(message: T): void {
    if (this.#over) return;
    this.#messages.push(message);
    this.#wake?.();
  }

  /** No more come. What has come is read before the error is thrown. */
  end(error?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#wake?.();
  }

  /** The next message, or undefined when there are no more. @throws what it ended with */
  async next(): Promise<T | undefined> {
    while (this.#at === this.#messages.length) {
      this.#messages = [];
      this.#at = 0;
      if (this.#error !== undefined) throw this.#error;
      if (this.#over) return undefined;
      await new Promise<void>((resolve) => { this.#wake = resolve; });
      this.#wake = undefined;
    }
    return this.#messages[this.#at++];
  }
}
