/**
 * Lives here: taking times and saying what they were. Does not know: of what.
 */

/** One figure of a bench. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** What the value must not pass, where the project promises something. */
  limit?: number;
}

/** How long a step takes, in milliseconds. */
export async function timed(step: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await step();
  return performance.now() - started;
}

/** The middle of some numbers. */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The figures as a table for people. */
export function formatFigures(figures: Figure[]): string {
  const width = Math.max(...figures.map(({ name }) => name.length));
  return figures.map(({ name, value, unit, limit }) => {
    const verdict = limit === undefined ? '' : value <= limit ? `  (at most ${limit}: holds)` : `  (at most ${limit}: MISSED)`;
    return `${name.padEnd(width)}  ${value.toFixed(value < 10 ? 2 : 1).padStart(9)} ${unit}${verdict}\n`;
  }).join('');
}
