/**
 * Lives here: the rules of networks that are up come back when another program
 * has taken them away or changed them, such as `nft flush ruleset` or a restart
 * of the host's own firewall. Does not know: rules, and who is to blame.
 */
import { messageOf } from '../../../shared/errors.js';
import type { NetworkPlan } from '../../driver/host.js';
import type { Log } from '../../log.js';
import type { Commands, Tool } from '../command.js';
import type { Tell } from '../events.js';
import { openListening, type Listening } from '../listening.js';
import { openLooks } from '../looks.js';
import type { Firewall } from './firewall.js';
import { policyOf } from './policy.js';

/** Who keeps an eye on rules. */
export interface Watch {
  /** From now on this network's rules are to be there. */
  guard(plan: NetworkPlan): void;
  /** From now on nobody misses this network's rules; to be called before they are removed. */
  release(plan: NetworkPlan): void;
  close(): Promise<void>;
}

/** How long changes are let run on before the rules are looked at: a firewall's restart is many. */
const settleMs = 150;

/** How long until what has failed is tried again, and between two repairs: another program may do it over and over. */
const retryMs = 1000;

/** How long until that at most, after it was in vain again and again. */
const longestRetryMs = 30_000;

/** How long after a network has started, and at most while others do: the start itself is heard, and the machine has better to do. */
const [startingMs, mostStartingMs] = [1000, 5000];

/** How much longer than a look the rest after it is: our own changes are heard too, and hundreds of networks may be starting. */
const restShare = 4;

/**
 * Opens a watch. It costs nothing until a network is guarded.
 *
 * @param tell is told of networks whose rules were applied again, or could not be
 */
export function openWatch(firewall: Firewall, commands: Commands, log: Log, tell: Tell): Watch {
  return new RuleWatch(firewall, commands, log, tell);
}

class RuleWatch implements Watch {
  private readonly guarded = new Map<string, NetworkPlan>();
  /** The networks whose rules were told not to be applied again, which has not been told to be over. */
  private readonly unguarded = new Set<string>();
  private readonly listening: Listening;
  /** What is heard of our rules. */
  private concerns = /^/;
  /** How often to look where there is nothing to listen to. */
  private lookEveryMs: number | undefined;
  private readonly looks = openLooks(() => this.check());
  /** Since when networks have been starting one after another. */
  private startingSinceMs = -Infinity;
  /** How often in a row rules had to be applied again. */
  private failures = 0;
  private closed = false;

  constructor(
    private readonly firewall: Firewall, commands: Commands, private readonly log: Log, private readonly tell: Tell,
  ) {
    this.listening = openListening({
      commands, log, what: 'changes of the firewall',
      source: () => this.findSource(),
      onLine: (line) => { if (this.concerns.test(line)) this.looks.soon(settleMs); },
      // What happened before was not heard.
      onBegun: () => this.looks.soon(retryMs),
    });
  }

  guard(plan: NetworkPlan): void {
    if ((policyOf(plan) === undefined && plan.definition.bridge?.zone === undefined) || this.closed) return;
    this.guarded.set(plan.uuid, plan);
    this.rest();
    this.listening.start();
  }

  release({ uuid }: NetworkPlan): void {
    this.guarded.delete(uuid);
  }

  /** Puts off the next look while networks start one after another. */
  private rest(): void {
    const now = performance.now();
    if (now > this.looks.restUntilMs) this.startingSinceMs = now;
    this.looks.restUntil(Math.max(this.looks.restUntilMs, Math.min(now + startingMs, this.startingSinceMs + mostStartingMs)));
  }

  async close(): Promise<void> {
    this.closed = true;
    this.guarded.clear();
    await Promise.all([this.listening.close(), this.looks.close()]);
  }

  /** The program that tells of changes, if the firewall has one; else it is looked at from time to time. */
  private async findSource(): Promise<{ tool: Tool; argv: readonly string[] } | undefined> {
    const notice = await this.firewall.notice();
    this.lookEveryMs = notice.everyMs;
    if ('tool' in notice) {
      this.concerns = notice.concerns;
      return notice;
    }
    this.looks.soon(notice.everyMs);
    return undefined;
  }

  /** Looks at all rules once, and applies those that are not as they were. */
  private async check(): Promise<void> {
    const began = performance.now();
    try {
      const repaired = await this.repair([...this.guarded.values()]);
      const ended = performance.now();
      this.looks.restUntil(ended + (repaired ? retryMs : restShare * (ended - began)));
      // A firewall that is about to start may not have taken it yet.
      if (repaired) this.retry();
      else this.failures = 0;
      if (this.lookEveryMs !== undefined) this.looks.soon(this.lookEveryMs);
    } catch (error) {
      this.log.error({ err: error }, 'firewall rules that another program changed could not be applied again');
      this.retry();
    }
  }

  /** Looks again, the later the more often it was in vain; what is heard meanwhile does not wait for that. */
  private retry(): void {
    this.looks.soon(Math.min(retryMs * 2 ** this.failures, longestRetryMs));
    this.failures += 1;
  }

  /** Gives whether anything had to be applied. */
  private async repair(plans: NetworkPlan[]): Promise<boolean> {
    if (plans.length === 0) return false;
    const present = await this.firewall.present(plans);
    // What a network needs may have changed since the look began.
    const missing = plans.flatMap(({ uuid }, index) => (present[index]! ? [] : this.guarded.get(uuid) ?? []));
    this.noteWhole(plans.filter((_, index) => present[index]!));
    if (missing.length === 0) return false;
    try {
      await this.firewall.apply(missing);
    } catch (error) {
      this.noteFailure(missing, error);
      throw error;
    }
    this.log.warn({ networks: missing.map(({ name }) => name) }, 'another program changed the firewall rules of networks: applied again');
    for (const { uuid } of missing) {
      this.unguarded.delete(uuid);
      this.tell({ kind: 'repaired', network: uuid, part: 'firewall', what: 'firewall rules' });
    }
    return true;
  }

  /** Says once of each network that its rules are missing. */
  private noteFailure(plans: readonly NetworkPlan[], error: unknown): void {
    const what = `firewall rules are missing and cannot be applied again: ${messageOf(error)}`;
    for (const { uuid } of plans.filter((plan) => !this.unguarded.has(plan.uuid))) {
      this.unguarded.add(uuid);
      this.tell({ kind: 'failed', network: uuid, part: 'firewall', what });
    }
  }

  /** Says once of each network whose rules were missing that they are there. */
  private noteWhole(plans: readonly NetworkPlan[]): void {
    for (const { uuid } of plans) {
      if (this.unguarded.delete(uuid)) this.tell({ kind: 'recovered', network: uuid, part: 'firewall', what: 'firewall rules are in place again' });
    }
  }
}
