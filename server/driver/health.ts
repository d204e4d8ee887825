/**
 * Lives here: how a network is: what is wrong with it now, and what was
 * repaired of it since the daemon started. Does not know: how a repair is
 * made, who asks.
 */
import { EventKind } from '../../shared/gen/vnet/v1/network_driver.js';
import type { RepairPart } from './host.js';
import type { Estate } from './lifecycle.js';
import type { NetworkRecord } from './register.js';

/** How many different repairs of one network are remembered: the last ones. */
const remembered = 10;

/** Something that is wrong. */
export interface Fault {
  part: RepairPart | 'start';
  /** What is wrong, in a sentence. */
  message: string;
  /** Since when, in milliseconds since 1970. */
  sinceMs: number;
}

/** Something that was repaired. */
export interface Repair {
  part: RepairPart;
  what: string;
  /** The last time, in milliseconds since 1970. */
  timeMs: number;
  /** How often. */
  count: number;
}

/** How often something of each part was repaired. */
export type RepairCounts = Record<RepairPart, number>;

/** The counts of a daemon that starts. */
export function noRepairs(): RepairCounts {
  return { bridge: 0, dnsmasq: 0, firewall: 0, forwarding: 0 };
}

/** The health of one network. A part has one fault at most: what was said of it last. */
export class NetworkHealth {
  private readonly byPart = new Map<Fault['part'], Fault>();
  private done: Repair[] = [];

  /** What is wrong now, the oldest first. */
  get faults(): readonly Fault[] {
    return [...this.byPart.values()].sort((a, b) => a.sinceMs - b.sinceMs);
  }

  /** What was repaired, the last first. */
  get repairs(): readonly Repair[] {
    return this.done;
  }

  /** A part is wrong; if it was already, it is so since then. Without a message: it is well. */
  judge(part: Fault['part'], message: string | undefined): void {
    if (message === undefined) this.byPart.delete(part);
    else this.byPart.set(part, { part, message, sinceMs: this.byPart.get(part)?.sinceMs ?? Date.now() });
  }

  /** Nothing is wrong any more: the network is made anew, or is not to stand. */
  clear(): void {
    this.byPart.clear();
  }

  /** Something was repaired. */
  count(part: RepairPart, what: string): void {
    const before = this.done.find((one) => one.part === part && one.what === what);
    const repair = { part, what, timeMs: Date.now(), count: (before?.count ?? 0) + 1 };
    this.done = [repair, ...this.done.filter((one) => one !== before)].slice(0, remembered);
  }
}

/**
 * Something of a network that stands was repaired: that is counted, remembered and told.
 *
 * @param still what is wrong with that part all the same
 */
export function noteRepair({ journal, repairs }: Estate, record: NetworkRecord, part: RepairPart, what: string, still?: string): void {
  repairs[part] += 1;
  record.health.count(part, what);
  record.health.judge(part, still);
  journal.record(EventKind.REPAIRED, record, { detail: what });
}

/** Something of a network is wrong that nobody is waiting for: that is remembered and told. */
export function noteFault({ journal }: Estate, record: NetworkRecord, part: RepairPart, message: string): void {
  record.health.judge(part, message);
  journal.record(EventKind.FAILED, record, { detail: message });
}

/** What was wrong with a part is over, without a repair: that is remembered and told. */
export function noteRecovery({ journal }: Estate, record: NetworkRecord, part: RepairPart, what: string): void {
  record.health.judge(part, undefined);
  journal.record(EventKind.REPAIRED, record, { detail: what });
}
