/**
 * Lives here: guessing which word was meant. Does not know: what the words
 * stand for.
 */

/** The known words that are near enough to a mistyped one, nearest first, at most three. */
export function nearest(word: string, known: Iterable<string>): string[] {
  const limit = Math.max(1, Math.floor(word.length / 3));
  return [...new Set(known)]
    .map((candidate) => ({ candidate, distance: word.length > 1 && candidate.startsWith(word) ? 1 : distance(word, candidate, limit) }))
    .filter((guess) => guess.distance <= limit)
    .sort((a, b) => a.distance - b.distance || a.candidate.localeCompare(b.candidate))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** A hint for a mistyped word, or undefined if nothing is near. */
export function didYouMean(word: string, known: Iterable<string>): string | undefined {
  const guesses = nearest(word, known);
  return guesses.length === 0 ? undefined : `did you mean ${guesses.map((guess) => `'${guess}'`).join(' or ')}?`;
}

/**
 * How many letters must be put in, left out, changed or swapped with their
 * neighbour to make one word the other (the optimal string alignment
 * distance). Gives a number over the limit without work if lengths differ by
 * more.
 */
function distance(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = from[i - 1] === to[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      row[j] = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + change, swapped ? beforeLast[j - 2]! + 1 : Infinity);
    }
    [beforeLast, last] = [last, row];
  }
  return last[to.length]!;
}
