/**
 * Lives here: numbers that look random and follow from a seed, so that what a
 * soak found can be tried again. Does not know: what is decided with them.
 */

/** A source of decisions. */
export interface Random {
  /** A whole number from 0 to below this. */
  below(count: number): number;
  /** One of these. */
  pick<T>(from: readonly T[]): T;
  /** True as often as this part of all times, from 0 to 1. */
  chance(part: number): boolean;
}

/** A source for each name: what one decides changes nothing for the others. (mulberry32) */
export function createRandom(seed: number, name: string): Random {
  let state = seed >>> 0;
  for (const letter of name) state = Math.imul(state ^ letter.codePointAt(0)!, 0x01000193) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count: number) => Math.floor(next() * count);
  return { below, pick: (from) => from[below(from.length)]!, chance: (part) => next() < part };
}
