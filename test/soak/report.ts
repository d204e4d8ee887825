/**
 * Lives here: what a soak counts and what it complains of, and how it reads.
 * Does not know: how it came about.
 */
import type { Holdings } from './processes-of.js';

const count = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);

const renderCounts = (counts: ReadonlyMap<string, number>) => [...counts].sort(([, a], [, b]) => b - a).map(([key, times]) => `${key} ${times}`).join(', ') || 'none';

/** A soak's book. */
export class Report {
  round = 0;
  readonly problems: string[] = [];
  readonly byClient = new Map<string, number>();
  readonly byKind = new Map<string, number>();
  readonly errors = new Map<string, number>();
  readonly events = new Map<string, number>();
  /** What vnetd held after each round, by its PID. */
  readonly holdings: { pid: number; held: Holdings }[] = [];

  /** @param say where problems are told at once */
  constructor(private readonly seed: number, private readonly say: (line: string) => void) {}

  called(client: string, kind: string, answer: string): void {
    count(this.byClient, client);
    count(this.byKind, kind);
    if (!answer.startsWith('ok')) count(this.errors, answer);
  }

  happened(event: string): void {
    count(this.events, event);
  }

  /** Something is not as it should be. */
  problem(what: string): void {
    const line = `seed ${this.seed}, round ${this.round}: ${what}`;
    this.problems.push(line);
    this.say(`PROBLEM: ${line}`);
  }

  /** All of it. */
  render(faults: ReadonlyMap<string, number>, starts: number, logged: ReadonlyMap<string, number>): string {
    const calls = [...this.byClient.values()].reduce((sum, n) => sum + n, 0);
    const [first, last] = [this.holdings[0]?.held, this.holdings.at(-1)?.held];
    const most = (read: (held: Holdings) => number) => Math.max(0, ...this.holdings.map(({ held }) => read(held)));
    const span = (title: string, read: (held: Holdings) => number, unit = '') =>
      `${title}: first ${first === undefined ? '-' : read(first)}${unit}, last ${last === undefined ? '-' : read(last)}${unit}, most ${most(read)}${unit}`;
    return [
      `seed ${this.seed}: ${this.round} rounds, ${calls} calls, ${this.problems.length} problems`,
      `calls by client: ${renderCounts(this.byClient)}`,
      `calls by kind: ${renderCounts(this.byKind)}`,
      `errors by code: ${renderCounts(this.errors)}`,
      `faults: ${renderCounts(faults)}`,
      `starts of vnetd: ${starts}`,
      `events: ${renderCounts(this.events)}`,
      `errors in vnetd's log: ${renderCounts(logged)}`,
      span('descriptors of vnetd', ({ descriptors }) => descriptors),
      span('programs under vnetd', ({ children }) => children),
      span('memory of vnetd', ({ residentMiB }) => residentMiB, ' MiB'),
      ...this.problems.map((problem) => `PROBLEM: ${problem}`),
    ].map((line) => `${line}\n`).join('');
  }
}
