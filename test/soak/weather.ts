/**
 * Lives here: which faults there were when, so that an error can be explained
 * by one or not. Does not know: what a fault is.
 */

interface Spell {
  kind: string;
  fromMs: number;
  toMs: number;
}

/** A log of faults. */
export class Weather {
  /** How often there was each kind. */
  readonly counts = new Map<string, number>();
  private readonly spells: Spell[] = [];

  /** Does something that is a fault until it is over. @param afterMs how long it is felt after that, in milliseconds */
  async during<T>(kind: string, work: () => Promise<T>, afterMs = 0): Promise<T> {
    const spell: Spell = { kind, fromMs: performance.now(), toMs: Infinity };
    this.spells.push(spell);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    try {
      return await work();
    } finally {
      spell.toMs = performance.now() + afterMs;
    }
  }

  /** The kinds of faults there were at any time from then until now. */
  since(fromMs: number): string[] {
    return this.spells.filter(({ toMs }) => toMs >= fromMs).map(({ kind }) => kind);
  }
}
