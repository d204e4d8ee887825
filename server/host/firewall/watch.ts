/**
 * Lives here: the rules of networks that are up come back when another program
 * has taken them away or changed them, such as `nft flush ruleset` or a restart
 * of the host's own firewall. Does not know: rules, and who is to blame.
 */
import type { NetworkPlan } from '../../driver/host.js';
import type { Log } from '../../log.js';
import type { Commands, Following } from '../command.js';
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

/** How much longer than a look the rest after it is: our own changes are heard too, and hundreds of networks may be starting. */
const restShare = 4;

/**
 * Opens a watch. It costs nothing until a network is guarded.
 *
 * @param repaired is told of each network whose rules had to be applied again
 */
export function openWatch(firewall: Firewall, commands: Commands, log: Log, repaired: (plan: NetworkPlan) => void = () => undefined): Watch {
  return new RuleWatch(firewall, commands, log, repaired);
}

class RuleWatch implements Watch {
  private readonly guarded = new Map<string, NetworkPlan>();
  private source: Following | undefined;
  private opening: Promise<void> | undefined;
  /** How often to look where there is nothing to listen to. */
  private lookEveryMs: number | undefined;
  /** No look before this time. */
  private restUntilMs = -Infinity;
  private timer: NodeJS.Timeout | undefined;
  private checking: Promise<void> | undefined;
  private closed = false;

  constructor(
    private readonly firewall: Firewall, private readonly commands: Commands, private readonly log: Log,
    private readonly repaired: (plan: NetworkPlan) => void,
  ) {}

  guard(plan: NetworkPlan): void {
    if (policyOf(plan) === undefined || this.closed) return;
    this.guarded.set(plan.uuid, plan);
    this.opening ??= this.open();
  }

  release({ uuid }: NetworkPlan): void {
    this.guarded.delete(uuid);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.guarded.clear();
    clearTimeout(this.timer);
    await this.opening;
    this.source?.close();
    await Promise.all([this.source?.ended, this.checking]);
  }

  /** Begins to listen, and looks once after that: what happened before was not heard. */
  private async open(): Promise<void> {
    try {
      const notice = await this.firewall.notice();
      if (this.closed) return;
      if ('everyMs' in notice) {
        this.lookEveryMs = notice.everyMs;
        this.soon(notice.everyMs);
        return;
      }
      const source = await this.commands.follow(notice.tool, notice.argv, (line) => {
        if (notice.concerns.test(line)) this.soon(settleMs);
      });
      this.source = source;
      void source.ended.then((words) => this.reopen(words));
      this.soon(retryMs);
    } catch (error) {
      this.reopen(error instanceof Error ? error.message : String(error));
    }
  }

  private reopen(words: string): void {
    if (this.closed) return;
    this.log.warn({ words }, 'changes of the firewall cannot be heard for a moment: listening again');
    setTimeout(() => { this.opening = this.closed ? undefined : this.open(); }, retryMs).unref();
  }

  private soon(delayMs: number): void {
    if (this.closed) return;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.checking = (this.checking ?? Promise.resolve()).then(() => this.check());
    }, Math.max(delayMs, this.restUntilMs - performance.now())).unref();
  }

  /** Looks at all rules once, and applies those that are not as they were. */
  private async check(): Promise<void> {
    const began = performance.now();
    try {
      const repaired = await this.repair([...this.guarded.values()]);
      const ended = performance.now();
      this.restUntilMs = ended + (repaired ? retryMs : restShare * (ended - began));
      if (this.lookEveryMs !== undefined) this.soon(this.lookEveryMs);
    } catch (error) {
      this.log.error({ err: error }, 'firewall rules that another program changed could not be applied again');
      this.soon(retryMs);
    }
  }

  /** Gives whether anything had to be applied. */
  private async repair(plans: NetworkPlan[]): Promise<boolean> {
    if (plans.length === 0) return false;
    const present = await this.firewall.present(plans);
    const missing = plans.filter(({ uuid }, index) => !present[index]! && this.guarded.has(uuid));
    if (missing.length === 0) return false;
    await this.firewall.apply(missing);
    this.log.warn({ networks: missing.map(({ name }) => name) }, 'another program changed the firewall rules of networks: applied again');
    missing.forEach(this.repaired);
    return true;
  }
}
