/**
 * Lives here: noticing what happens to the leases of networks, from dnsmasq's
 * files of leases. Does not know: what a line of a file says, who is told.
 *
 * dnsmasq empties its file and writes it anew before it answers a guest, so a
 * file can be found with its end missing. What is in it is believed at once,
 * what is not only if it is still missing a while later. When a lease's time
 * is over is watched here: dnsmasq itself forgets it when it has reason to look.
 */
import { watch, type FSWatcher } from 'node:fs';
import { basename } from 'node:path';
import type { HostEvent, HostLease } from '../driver/host.js';
import type { Log } from '../log.js';
import type { Tell } from './events.js';
import { parseLeases, readLeaseFile } from './leases.js';

/** Who watches leases. */
export interface LeaseWatch {
  /** From now on tells what changes; what is in the file already is known. */
  follow(network: string, path: string): Promise<void>;
  follows(network: string): boolean;
  unfollow(network: string): void;
  close(): void;
}

/** What has become of a lease. */
export type LeaseChange = Omit<Extract<HostEvent, { kind: 'lease' }>, 'kind' | 'network'>;

/** One change is several writes; they are taken together if they come within this time, in milliseconds. */
const settleMs = 20;

/** The least time between two looks at one file: a storm of leases costs no more than that. */
const restMs = 250;

/** How long a lease must be missing: longer from a file that looks torn. */
const missingMs = { whole: 150, torn: 400 };

/** How often to look where the folder cannot be watched. */
const pollMs = 500;

/** The longest a timer is set for: the clock may be set meanwhile. */
const longestTimerMs = 60_000;

/** A file that is watched. */
interface Followed {
  network: string;
  path: string;
  known: Map<string, HostLease>;
  /** When an address was found missing first, as performance.now() has it. */
  missing: Map<string, number>;
  /** When it was last written, as performance.now() has it. */
  touchedMs: number;
  timer: NodeJS.Timeout | undefined;
  restUntilMs: number;
  looking: boolean;
  again: boolean;
}

/**
 * Watches a folder of lease files: one watch for all.
 *
 * @param folder where every file that is followed lies
 */
export function openLeaseWatch(folder: string, tell: Tell, log: Log): LeaseWatch {
  return new FolderWatch(folder, tell, log);
}

class FolderWatch implements LeaseWatch {
  private readonly byName = new Map<string, Followed>();
  private readonly byNetwork = new Map<string, Followed>();
  private watcher: FSWatcher | undefined;
  private polling: NodeJS.Timeout | undefined;
  private expiry: { timer: NodeJS.Timeout; atMs: number } | undefined;

  constructor(folder: string, private readonly tell: Tell, private readonly log: Log) {
    try {
      this.watcher = watch(folder, { persistent: false }, (_, name) => {
        const file = name === null ? undefined : this.byName.get(name);
        if (file === undefined) return;
        file.touchedMs = performance.now();
        this.soon(file, settleMs);
      }).on('error', (error) => this.poll(error));
    } catch (error) {
      this.poll(error);
    }
  }

  async follow(network: string, path: string): Promise<void> {
    this.unfollow(network);
    const file: Followed = { network, path, known: new Map(), missing: new Map(), touchedMs: 0, timer: undefined, restUntilMs: 0, looking: false, again: false };
    file.known = keyed(standing(parseLeases((await readLeaseFile(path)).text), Date.now() / 1000));
    this.byNetwork.set(network, file);
    this.byName.set(basename(path), file);
    this.awaitExpiry(file);
  }

  follows(network: string): boolean {
    return this.byNetwork.has(network);
  }

  unfollow(network: string): void {
    const file = this.byNetwork.get(network);
    if (file === undefined) return;
    this.byNetwork.delete(network);
    this.byName.delete(basename(file.path));
    clearTimeout(file.timer);
  }

  close(): void {
    this.watcher?.close();
    clearInterval(this.polling);
    clearTimeout(this.expiry?.timer);
    for (const network of [...this.byNetwork.keys()]) this.unfollow(network);
  }

  private poll(error: unknown): void {
    this.watcher?.close();
    this.log.warn({ err: error }, 'the folder of leases cannot be watched: it is looked at twice a second instead');
    this.polling ??= setInterval(() => {
      for (const file of this.byNetwork.values()) this.soon(file, 0);
    }, pollMs).unref();
  }

  private soon(file: Followed, delayMs: number): void {
    file.timer ??= setTimeout(() => {
      file.timer = undefined;
      void this.look(file);
    }, Math.max(delayMs, file.restUntilMs - performance.now())).unref();
  }

  private async look(file: Followed): Promise<void> {
    if (file.looking) {
      file.again = true;
      return;
    }
    file.looking = true;
    try {
      const { text, torn } = await readLeaseFile(file.path);
      // Not ours any more since it was opened.
      if (this.byNetwork.get(file.network) !== file) return;
      this.compare(file, parseLeases(text), torn);
    } catch (error) {
      this.log.error({ err: error, path: file.path }, 'leases cannot be read');
    } finally {
      file.looking = false;
      file.restUntilMs = performance.now() + restMs;
      if (file.again && this.byNetwork.get(file.network) === file) this.soon(file, 0);
      file.again = false;
    }
  }

  private compare(file: Followed, found: HostLease[], torn: boolean): void {
    const now = performance.now();
    const patienceMs = torn ? missingMs.torn : missingMs.whole;
    const { changes, missing } = compareLeases(file.known, found, Date.now() / 1000);
    // In a file that looks torn it may be missing for each writing anew.
    const since = new Map(missing.map(({ address }) => [address, Math.max(file.missing.get(address) ?? now, torn ? file.touchedMs : 0)]));
    const gone = missing.filter(({ address }) => now - since.get(address)! >= patienceMs);
    for (const { address } of gone) since.delete(address);
    file.missing = since;
    for (const change of [...changes, ...gone.map((lease): LeaseChange => ({ change: 'released', lease }))]) {
      if (change.change === 'added' || change.change === 'renewed') file.known.set(change.lease.address, change.lease);
      else if (file.known.get(change.lease.address) === change.lease) file.known.delete(change.lease.address);
      this.tell({ kind: 'lease', network: file.network, ...change });
    }
    if (since.size > 0) this.soon(file, patienceMs);
    this.awaitExpiry(file);
  }

  /** Sees to it that somebody looks when the next lease of a file is over. */
  private awaitExpiry(file: Followed): void {
    let next = Infinity;
    for (const { expiry } of file.known.values()) if (expiry !== 0) next = Math.min(next, expiry * 1000);
    if (next === Infinity || (this.expiry !== undefined && this.expiry.atMs <= next)) return;
    clearTimeout(this.expiry?.timer);
    const delayMs = Math.min(Math.max(next - Date.now(), 0) + 1, longestTimerMs);
    this.expiry = { atMs: next, timer: setTimeout(() => this.expire(), delayMs).unref() };
  }

  private expire(): void {
    this.expiry = undefined;
    const nowSeconds = Date.now() / 1000;
    for (const file of this.byNetwork.values()) {
      const over = [...file.known.values()].some(({ expiry }) => expiry !== 0 && expiry <= nowSeconds);
      if (over) this.soon(file, 0);
      else this.awaitExpiry(file);
    }
  }
}

/** What a file says beyond what was known: what is certain, and what is missing before its time. */
export function compareLeases(known: ReadonlyMap<string, HostLease>, found: readonly HostLease[], nowSeconds: number): { changes: LeaseChange[]; missing: HostLease[] } {
  const changes: LeaseChange[] = [];
  const missing: HostLease[] = [];
  const after = keyed(standing(found, nowSeconds));
  for (const lease of known.values()) {
    const next = after.get(lease.address);
    if (next !== undefined && isSameClient(lease, next)) continue;
    if (isOver(lease, nowSeconds)) changes.push({ change: 'expired', lease });
    // Another has the address now, so this one is not missing for a moment only.
    else if (next !== undefined) changes.push({ change: 'released', lease });
    else missing.push(lease);
  }
  for (const lease of after.values()) {
    const before = known.get(lease.address);
    if (before === undefined || !isSameClient(before, lease)) changes.push({ change: 'added', lease });
    else if (before.expiry !== lease.expiry || before.hostname !== lease.hostname) changes.push({ change: 'renewed', lease });
  }
  return { changes, missing };
}

function isSameClient(a: HostLease, b: HostLease): boolean {
  return a.mac === b.mac && a.clientId === b.clientId && a.iaid === b.iaid;
}

function isOver({ expiry }: HostLease, nowSeconds: number): boolean {
  return expiry !== 0 && expiry <= nowSeconds;
}

function standing(leases: readonly HostLease[], nowSeconds: number): HostLease[] {
  return leases.filter((lease) => !isOver(lease, nowSeconds));
}

function keyed(leases: readonly HostLease[]): Map<string, HostLease> {
  return new Map(leases.map((lease) => [lease.address, lease]));
}
