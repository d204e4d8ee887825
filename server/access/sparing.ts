/**
 * Lives here: so many of a kind a minute, and how many there were beyond them.
 * Does not know: of what.
 */

const minuteMs = 60_000;

/** Lets through what comes now and then, and counts what comes in floods. */
export class Sparing {
  readonly #counts = new Map<string, number>();

  /**
   * @param most how many of each kind pass in a minute, which begins with the first
   * @param told hears at the end of a minute how many of a kind did not pass, if any
   */
  constructor(private readonly most: number, private readonly told: (kind: string, leftOut: number) => void) {}

  /** Whether one more passes. */
  pass(kind: string): boolean {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    if (count === 1) setTimeout(() => this.#over(kind), minuteMs).unref();
    this.#counts.set(kind, count);
    return count <= this.most;
  }

  #over(kind: string): void {
    const leftOut = this.#counts.get(kind)! - this.most;
    this.#counts.delete(kind);
    if (leftOut > 0) this.told(kind, leftOut);
  }
}
