/**
 * Lives here: which firewall guards this host's networks, and the move from one
 * to another. Does not know: what a firewall does.
 */
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import type { NetworkPlan } from '../../driver/host.js';
import type { Commands } from '../command.js';
import { together } from '../undo.js';
import type { Firewall, Notice } from './firewall.js';
import { openIptables } from './iptables.js';
import { openNftables } from './nftables.js';
import { openNone } from './none.js';

/** What `[firewall] backend` may say; the first is what holds if it says nothing. */
export const firewallChoices = ['auto', 'nftables', 'iptables', 'none'] as const;

/** A choice of firewall. */
export type FirewallChoice = typeof firewallChoices[number];

/** Every real firewall, the one that is taken first at the front. */
const openers: Record<Exclude<FirewallChoice, 'auto' | 'none'>, (commands: Commands) => Firewall> = {
  nftables: openNftables, iptables: openIptables,
};

/**
 * Chooses a firewall. What others hold, from when they were the chosen one, is
 * taken away with the networks it belongs to, or once these have the chosen
 * one's rules.
 *
 * @throws {NetworkError} INVALID_ARG for a name that is none
 */
export async function chooseFirewall(choice: FirewallChoice, commands: Commands): Promise<Firewall> {
  if (!firewallChoices.includes(choice)) {
    throw new NetworkError(ErrorCode.INVALID_ARG, `unknown firewall '${choice}'`, { hint: `known: ${firewallChoices.join(', ')}` });
  }
  const all = Object.values(openers).map((open) => open(commands));
  const usable = (await Promise.all(all.map(async (each) => await isUsable(each) ? [each] : []))).flat();
  const chosen = pick(choice, all, usable);
  return new Successor(chosen, usable.filter((each) => each !== chosen));
}

function pick(choice: FirewallChoice, all: Firewall[], usable: Firewall[]): Firewall {
  if (choice === 'none') return openNone('set [firewall] backend = "auto" in vnetd.toml and restart vnetd');
  const named = choice === 'auto' ? usable[0] : all.find(({ name }) => name === choice);
  return named ?? openNone('install nftables (on Debian and Ubuntu: apt-get install nftables) and restart vnetd');
}

function isUsable(firewall: Firewall): Promise<boolean> {
  return firewall.require().then(() => true, () => false);
}

/** The chosen firewall, in the place of what was chosen before. */
class Successor implements Firewall {
  readonly name;
  readonly tools;
  /** Those of the others that hold something; unknown until networks are found that stand already. */
  private former: Firewall[] | undefined;

  constructor(private readonly chosen: Firewall, private readonly others: readonly Firewall[]) {
    this.name = chosen.name;
    this.tools = chosen.tools;
  }

  require(): Promise<void> {
    return this.chosen.require();
  }

  async apply(plans: readonly NetworkPlan[]): Promise<void> {
    await this.chosen.apply(plans);
    await this.leave(plans);
  }

  async update(before: NetworkPlan, after: NetworkPlan): Promise<void> {
    await this.chosen.update(before, after);
    await this.leave([after]);
  }

  /** Takes away what the others hold of networks that the chosen one guards. */
  private async leave(plans: readonly NetworkPlan[]): Promise<void> {
    for (const each of this.former ?? []) {
      for (const plan of plans) await each.remove(plan);
      await each.tidy();
    }
  }

  async remove(plan: NetworkPlan): Promise<void> {
    await together(...[this.chosen, ...this.former ?? []].map((each) => each.remove(plan)));
  }

  async tidy(): Promise<void> {
    await together(...[this.chosen, ...this.former ?? []].map((each) => each.tidy()));
  }

  async present(plans: readonly NetworkPlan[]): Promise<boolean[]> {
    this.former ??= (await Promise.all(this.others.map(async (each) => await holds(each) ? [each] : []))).flat();
    return this.chosen.present(plans);
  }

  holdsAny(): Promise<boolean> {
    return this.chosen.holdsAny();
  }

  notice(): Promise<Notice> {
    return this.chosen.notice();
  }
}

/** One that cannot be read holds nothing that could be taken away. */
function holds(firewall: Firewall): Promise<boolean> {
  return firewall.holdsAny().catch(() => false);
}
