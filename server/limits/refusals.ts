/**
 * Lives here: what was refused or cut off because of which limit: counted for
 * the metrics, and told in the log without flooding it. Does not know: any limit's value.
 */
import type { Log } from '../log.js';
import { nameLimit, type Limits } from './limits.js';

/** What a limit did: kept a connection out, cut it, ended it in all friendship, or refused a call. */
export type Deed = 'connection refused' | 'connection cut' | 'connection closed' | 'call refused';

/** How long the log is silent about the same again, in milliseconds. */
const silenceMs = 10_000;

/** Why somebody was refused, by limit. */
export class Refusals {
  readonly #counts = new Map<string, { deed: Deed; limit: string; count: number; told: number; toldAt: number }>();

  constructor(private readonly log: Log) {}

  /**
   * Notes that a limit was reached. The first is logged at once, and then at
   * most one in ten seconds, with how many there were.
   *
   * @param fields who it was, for the log
   */
  note(deed: Deed, field: keyof Limits, fields: object): void {
    const limit = nameLimit(field);
    const key = `${deed} ${limit}`;
    let entry = this.#counts.get(key);
    if (entry === undefined) this.#counts.set(key, entry = { deed, limit, count: 0, told: 0, toldAt: -Infinity });
    entry.count += 1;
    const now = performance.now();
    if (now - entry.toldAt < silenceMs) return;
    const level = deed === 'connection closed' ? 'debug' : 'warn';
    this.log[level]({ ...fields, limit: `limits.${limit}`, times: entry.count - entry.told }, `${deed}: limits.${limit}`);
    entry.told = entry.count;
    entry.toldAt = now;
  }

  /** How often each limit was reached so far. */
  list(): { deed: Deed; limit: string; count: number }[] {
    return [...this.#counts.values()].map(({ deed, limit, count }) => ({ deed, limit, count }));
  }
}
