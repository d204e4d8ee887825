/**
 * Lives here: so many at once, and so many a second for long. Does not know:
 * of what.
 */

/** Something that may be done now and then. */
export class Allowance {
  #left: number;
  #at: number;

  /**
   * @param most how much there is at the most
   * @param perSecond how much comes back in a second
   * @param now the time, in milliseconds from anywhere
   */
  constructor(readonly most: number, readonly perSecond: number, now: number) {
    this.#left = most;
    this.#at = now;
  }

  /** Takes some. Says whether there was enough. */
  take(amount: number, now: number): boolean {
    this.#left = Math.min(this.most, this.#left + (now - this.#at) * this.perSecond / 1000) - amount;
    this.#at = now;
    return this.#left >= 0;
  }

  /** Gives some more, up to the most. */
  give(amount: number): void {
    this.#left = Math.min(this.most, this.#left + amount);
  }
}
