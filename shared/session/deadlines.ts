/**
 * Lives here: deadlines of many calls behind one timer: a timer for each
 * costs as much as carrying the call. Does not know: calls.
 */

/** The longest that a timer can wait, in milliseconds. */
const longestMs = 2 ** 31 - 1;

/** What is to be done when, unless it is taken back. Keeps the process alive until all that was set would have been due, or it is cleared. */
export class Deadlines<Key> {
  readonly #due = new Map<Key, { at: number; late: () => void }>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;

  /** @param ms from now; longer than 24 days is never */
  set(key: Key, ms: number, late: () => void): void {
    const at = performance.now() + Math.min(ms, longestMs);
    this.#due.set(key, { at, late });
    if (at < this.#timerAt) this.#arm(at);
  }

  /** The timer stays as it is: it finds nothing to do. */
  delete(key: Key): void {
    this.#due.delete(key);
  }

  /** Takes back everything. */
  clear(): void {
    this.#due.clear();
    clearTimeout(this.#timer);
    this.#timerAt = Infinity;
  }

  #arm(at: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = at;
    // At least a moment: timers may come a little early.
    this.#timer = setTimeout(() => this.#look(), Math.max(1, Math.ceil(at - performance.now())));
  }

  #look(): void {
    const now = performance.now();
    this.#timerAt = Infinity;
    for (const [key, { at, late }] of this.#due) {
      if (at > now) continue;
      this.#due.delete(key);
      late();
    }
    let next = Infinity;
    for (const { at } of this.#due.values()) next = Math.min(next, at);
    if (next < this.#timerAt) this.#arm(next);
  }
}
