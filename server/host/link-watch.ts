/**
 * Lives here: noticing that another program has removed or altered the bridge
 * of a network that is up, or turned forwarding off; what is altered is put
 * right at once. Does not know: what is done about a bridge that is gone; how
 * a bridge is compared with its plan (see `link-repair.ts`).
 */
import { messageOf } from '../../shared/errors.js';
import type { NetworkPlan } from '../driver/host.js';
import type { Log } from '../log.js';
import type { Commands } from './command.js';
import type { Tell } from './events.js';
import { applyRepair, driftOf, readBridgesInFull, type Drift } from './link-repair.js';
import { openListening, type Listening } from './listening.js';
import { openLooks } from './looks.js';
import { openRepairPace, type RepairPace } from './repair-pace.js';

/** Who keeps an eye on bridges. */
export interface LinkWatch {
  /** From now on this network's bridge is to be there. */
  guard(plan: NetworkPlan): void;
  /** Guards it again after a change of ours, and looks at it: what others did meanwhile was not heeded. */
  guardAgain(plan: NetworkPlan): void;
  /** From now on nobody misses this network's bridge; to be called before it is removed or changed. Waits for a repair that is under way. */
  release(plan: NetworkPlan): Promise<void>;
  close(): Promise<void>;
}

/** How long changes are let run on before the bridges are looked at: they may be many. In milliseconds. */
const settleMs = 200;

/** How long until what has failed is tried again, in milliseconds. */
const retryMs = 1000;

/** How much longer than a look the rest after it is: our own changes are heard too, and hundreds of networks may be starting. */
const restShare = 4;

/** The interface that a line of `ip monitor` is about: a link or an address by its first word, a route by its device. */
const subject = /^(?:Deleted )?\d+: ([^:@\s]+)|\bdev (\S+)/;

/** What `ip monitor` prints when the host stops forwarding. */
const forwardingOff = /^inet6? all forwarding off/;

/** What a watch works with. */
export interface LinkWatchOptions {
  commands: Commands;
  tell: Tell;
  log: Log;
  /** Turns forwarding on again where a network needs it; gives the networks that did, by UUID. */
  restoreForwarding(): Promise<string[]>;
}

/** Opens a watch. It costs nothing until a network is guarded, and one program for all of them then. */
export function openLinkWatch(options: LinkWatchOptions): LinkWatch {
  return new BridgeWatch(options);
}

class BridgeWatch implements LinkWatch {
  /** By the bridge's name. */
  private readonly guarded = new Map<string, { plan: NetworkPlan; pace: RepairPace }>();
  /** The networks whose bridge was told to be in trouble, which has not been told to be over. */
  private readonly troubled = new Set<string>();
  private readonly listening: Listening;
  private readonly looks = openLooks(() => this.check());
  private closed = false;

  constructor(private readonly options: LinkWatchOptions) {
    this.listening = openListening({
      commands: options.commands, log: options.log, what: 'changes of bridges',
      source: async () => ({ tool: 'ip', argv: ['-oneline', 'monitor', 'link', 'address', 'route', 'netconf'] }),
      onLine: (line) => { if (this.concerns(line)) this.looks.soon(settleMs); },
      // What happened before was not heard.
      onBegun: () => this.looks.soon(retryMs),
    });
  }

  guard(plan: NetworkPlan): void {
    if (this.closed) return;
    const before = this.guarded.get(plan.bridge);
    this.guarded.set(plan.bridge, { plan, pace: before?.plan.uuid === plan.uuid ? before.pace : openRepairPace() });
    this.listening.start();
  }

  guardAgain(plan: NetworkPlan): void {
    this.guard(plan);
    this.looks.soon(settleMs);
  }

  async release({ bridge, uuid }: NetworkPlan): Promise<void> {
    if (this.guarded.get(bridge)?.plan.uuid === uuid) this.guarded.delete(bridge);
    await this.looks.over();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.guarded.clear();
    await Promise.all([this.listening.close(), this.looks.close()]);
  }

  private concerns(line: string): boolean {
    const [, link, device] = subject.exec(line) ?? [];
    return this.guarded.has(link ?? device ?? '') || forwardingOff.test(line);
  }

  /** Looks at all bridges once: what was heard may be about one that we removed and made again since. */
  private async check(): Promise<void> {
    const { commands, tell, log, restoreForwarding } = this.options;
    const plans = [...this.guarded.values()].map(({ plan }) => plan);
    if (plans.length === 0) return;
    const began = performance.now();
    try {
      const seen = await readBridgesInFull(commands, plans);
      const ended = performance.now();
      this.looks.restUntil(ended + restShare * (ended - began));
      for (const plan of plans) {
        if (this.guarded.get(plan.bridge)?.plan.uuid !== plan.uuid) continue;
        const drift = driftOf(plan, seen);
        if (drift === undefined) {
          this.guarded.delete(plan.bridge);
          this.troubled.delete(plan.uuid);
          tell({ kind: 'bridge-lost', network: plan.uuid });
        } else if (drift.what.length > 0) {
          await this.repair(plan, drift);
        } else if (this.troubled.has(plan.uuid)) {
          this.noteCalm(plan);
        }
      }
      const unforwarded = await restoreForwarding();
      if (unforwarded.length > 0) log.warn({ networks: unforwarded.length }, 'another program turned forwarding off, which networks need: it is on again');
      for (const network of unforwarded) tell({ kind: 'repaired', network, part: 'forwarding', what: 'forwarding' });
    } catch (error) {
      log.error({ err: error }, 'the bridges of networks cannot be looked at');
      this.looks.soon(retryMs);
    }
  }

  /** Takes note that a bridge that was in trouble is as it should be, and says so once it has stood for long. */
  private noteCalm({ uuid, name, bridge }: NetworkPlan): void {
    const waitMs = this.guarded.get(bridge)!.pace.troubledForMs();
    if (waitMs > 0) return this.looks.soon(waitMs);
    this.troubled.delete(uuid);
    this.options.log.info({ network: name, bridge }, 'the bridge of a network stays as it should be: the network is healthy again');
    this.options.tell({ kind: 'recovered', network: uuid, part: 'bridge', what: `healthy again: bridge ${bridge} stays as it should be` });
  }

  private fail({ uuid }: NetworkPlan, what: string): void {
    this.troubled.add(uuid);
    this.options.tell({ kind: 'failed', network: uuid, part: 'bridge', what });
  }

  /** Puts one bridge right, unless that was undone too often of late. */
  private async repair(plan: NetworkPlan, drift: Drift): Promise<void> {
    const { commands, tell, log } = this.options;
    const { pace } = this.guarded.get(plan.bridge)!;
    const waitMs = pace.waitMs();
    if (waitMs > 0) return this.looks.soon(waitMs);
    const what = `bridge ${plan.bridge}: ${drift.what.join(', ')}`;
    const troubled = pace.repaired();
    try {
      await applyRepair(commands, plan, drift);
      log.warn({ network: plan.name, bridge: plan.bridge, altered: drift.what }, 'another program altered the bridge of a network: it is as it was');
      const trouble = `${what}: another program does this over and over; it is put right more rarely now`;
      tell({ kind: 'repaired', network: plan.uuid, part: 'bridge', what, ...(this.troubled.has(plan.uuid) ? { still: trouble } : {}) });
      if (troubled) this.fail(plan, trouble);
      // Nothing is heard of a bridge that stays as it is.
      if (this.troubled.has(plan.uuid)) this.looks.soon(pace.troubledForMs());
    } catch (error) {
      log.error({ network: plan.name, bridge: plan.bridge, altered: drift.what, err: error }, 'the bridge of a network was altered and cannot be put right');
      if (troubled) this.fail(plan, `${what}: it cannot be put right: ${messageOf(error)}`);
      this.looks.soon(retryMs);
    }
  }
}
