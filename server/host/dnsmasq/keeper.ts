/**
 * Lives here: a dnsmasq that ended though nobody asked for it is started
 * again; if that is in vain over and over, it is said. Does not know: configuration; when a network comes and goes.
 */
import { readFileSync } from 'node:fs';
import { messageOf } from '../../../shared/errors.js';
import type { NetworkPlan } from '../../driver/host.js';
import type { Log } from '../../log.js';
import type { Tell } from '../events.js';
import type { DnsmasqFiles } from './conf.js';
import { findProcess } from './process.js';

/** Who keeps processes running. */
export interface Keeper {
  /** From now on this network's dnsmasq is to run. */
  guard(plan: NetworkPlan, files: DnsmasqFiles): Promise<void>;
  /** From now on it may end; to be called before it is ended. Waits for a start that is under way. */
  release(plan: NetworkPlan): Promise<void>;
  close(): void;
}

/** Each process is looked at once in this time, in milliseconds; they take turns, a few at a time. */
const roundMs = 1000;
const turns = 8;

/** Each how many rounds it is looked whether a process that is there has ended all the same: that costs ten times as much. */
const thoroughRounds = 4;

/** Between two starts of one process: at once at first, then this long, twice as long each time. In milliseconds. */
const backOffMs = { first: 1000, longest: 60_000 };

/** So many ends in so long, in milliseconds, and a network is degraded; it is healthy again when dnsmasq has run for as long. */
const degradedBy = { deaths: 5, withinMs: 60_000 };

/** What is wrong with a network that is degraded. */
const degradation = `dnsmasq ended ${degradedBy.deaths} times within ${degradedBy.withinMs / 1000} seconds; it is started again ever more rarely`;

/** A process that is kept running. */
interface Kept {
  plan: NetworkPlan;
  files: DnsmasqFiles;
  pid: number | undefined;
  /** No start before this time, as performance.now() has it. */
  restUntilMs: number;
  backOffMs: number;
  /** Its last start failed, and that has been told. */
  failed: boolean;
  /** When it was found to have ended, of late, as performance.now() has it. */
  deathsMs: number[];
  /** It ended so often of late that its network is degraded, and that has been told. */
  degraded: boolean;
  starting: Promise<void> | undefined;
}

/**
 * Opens a keeper.
 *
 * @param start starts a dnsmasq from its files
 * @param now the time in milliseconds, of a clock that nobody sets
 */
export function openKeeper(start: (files: DnsmasqFiles) => Promise<void>, tell: Tell, log: Log, now = () => performance.now()): Keeper {
  return new ProcessKeeper(start, tell, log, now);
}

class ProcessKeeper implements Keeper {
  private readonly kept = new Map<string, Kept>();
  /** The networks of which something was told to be wrong that has not been told to be over. */
  private readonly faulty = new Set<string>();
  /** Who is looked at next, in turn. */
  private round: Kept[] = [];
  private rounds = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly start: (files: DnsmasqFiles) => Promise<void>, private readonly tell: Tell, private readonly log: Log, private readonly now: () => number,
  ) {}

  async guard(plan: NetworkPlan, files: DnsmasqFiles): Promise<void> {
    const kept: Kept = { plan, files, pid: await findProcess(files), restUntilMs: 0, backOffMs: backOffMs.first, failed: false, deathsMs: [], degraded: false, starting: undefined };
    this.kept.set(plan.uuid, kept);
    // What was wrong with the one before is not wrong with this one.
    if (this.faulty.delete(plan.uuid)) this.tell({ kind: 'recovered', network: plan.uuid, part: 'dnsmasq', what: 'healthy again: dnsmasq was started anew' });
    this.timer ??= setInterval(() => this.look(), roundMs / turns).unref();
  }

  async release({ uuid }: NetworkPlan): Promise<void> {
    const kept = this.kept.get(uuid);
    this.kept.delete(uuid);
    if (this.kept.size === 0) this.close();
    await kept?.starting;
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private look(): void {
    if (this.round.length === 0) {
      this.round = [...this.kept.values()];
      this.rounds += 1;
    }
    const thorough = this.rounds % thoroughRounds === 0;
    for (const kept of this.round.splice(0, Math.ceil(this.kept.size / turns))) {
      if (this.kept.get(kept.plan.uuid) !== kept || kept.starting !== undefined || this.now() < kept.restUntilMs) continue;
      if (kept.pid !== undefined && runs(kept.pid, thorough)) {
        this.noteHealth(kept);
        continue;
      }
      kept.starting = this.again(kept).finally(() => { kept.starting = undefined; });
    }
  }

  /** Takes note that a process ended, and says once if that is too often. */
  private noteEnd(kept: Kept): void {
    const { deaths, withinMs } = degradedBy;
    kept.deathsMs = [...kept.deathsMs, this.now()].slice(-deaths);
    if (kept.degraded || kept.deathsMs.length < deaths || this.now() - kept.deathsMs[0]! > withinMs) return;
    kept.degraded = true;
    this.log.error({ network: kept.plan.name }, `a network is degraded: ${degradation}`);
    this.fail(kept, degradation);
  }

  /** Takes note that a process runs, and says once if it was degraded and has run for long. */
  private noteHealth(kept: Kept): void {
    if (!kept.degraded || this.now() - kept.deathsMs.at(-1)! < degradedBy.withinMs) return;
    kept.degraded = false;
    kept.deathsMs = [];
    this.log.info({ network: kept.plan.name }, 'dnsmasq of a network has run for a minute: the network is healthy again');
    this.faulty.delete(kept.plan.uuid);
    this.tell({ kind: 'recovered', network: kept.plan.uuid, part: 'dnsmasq', what: 'healthy again: dnsmasq stays up' });
  }

  private fail({ plan }: Kept, what: string): void {
    this.faulty.add(plan.uuid);
    this.tell({ kind: 'failed', network: plan.uuid, part: 'dnsmasq', what });
  }

  /** Starts a process again, unless somebody else has done so. */
  private async again(kept: Kept): Promise<void> {
    const { plan, files } = kept;
    kept.pid = await findProcess(files);
    if (kept.pid !== undefined || this.kept.get(plan.uuid) !== kept) return;
    // A start that failed has been told as such.
    if (!kept.failed) this.noteEnd(kept);
    // One that has run for long has earned a start at once.
    if (this.now() > kept.restUntilMs + backOffMs.longest) kept.backOffMs = backOffMs.first;
    kept.restUntilMs = this.now() + kept.backOffMs;
    kept.backOffMs = Math.min(kept.backOffMs * 2, backOffMs.longest);
    try {
      await this.start(files);
      kept.pid = await findProcess(files);
      kept.failed = false;
      this.log.warn({ network: plan.name, pid: kept.pid }, 'dnsmasq of a network ended: started again');
      if (!kept.degraded) this.faulty.delete(plan.uuid);
      this.tell({ kind: 'repaired', network: plan.uuid, part: 'dnsmasq', what: 'dnsmasq', ...(kept.degraded ? { still: degradation } : {}) });
    } catch (error) {
      const words = messageOf(error);
      this.log.error({ network: plan.name, err: error, againMs: kept.restUntilMs - this.now() }, 'dnsmasq of a network ended and cannot be started again');
      if (!kept.failed) this.fail(kept, `dnsmasq ended and cannot be started again: ${words}`);
      kept.failed = true;
    }
  }
}

/** Whether a process runs. One that has ended and that its parent has not taken note of is there still, without memory. */
function runs(pid: number, thorough: boolean): boolean {
  try {
    process.kill(pid, 0);
    return !thorough || !readFileSync(`/proc/${pid}/statm`, 'latin1').startsWith('0 ');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
