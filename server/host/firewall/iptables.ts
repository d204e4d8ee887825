/**
 * Lives here: guarding networks with iptables and ip6tables, whichever kind the
 * host has. Does not know: what a rule says (see `iptables-rules.ts`), what it
 * takes to get there (see `iptables-state.ts`).
 */
import type { NetworkPlan } from '../../driver/host.js';
import type { Commands, Tool } from '../command.js';
import { openTurns } from '../turns.js';
import { together } from '../undo.js';
import type { Firewall, Notice } from './firewall.js';
import { chainsOf, families, hooks, suffixOf, type Family } from './iptables-rules.js';
import { contents, isEnd, parseSave, renderChange, stands, type Tables } from './iptables-state.js';
import { policyOf } from './policy.js';
import { openSeen } from './seen.js';
import { sweepTable } from './sweep.js';

const programs = {
  ipv4: { save: 'iptables-save', restore: 'iptables-restore' },
  ipv6: { save: 'ip6tables-save', restore: 'ip6tables-restore' },
} as const satisfies Record<Family, Record<string, Tool>>;

/** How long to wait for others who have the lock of the older iptables, in seconds. */
const lockTimeoutSeconds = 10;

/** How often to look at the rules where nobody tells of changes. */
const lookEveryMs = 1500;

/** Opens the iptables firewall. Nothing is done until a network is guarded. */
export function openIptables(commands: Commands): Firewall {
  return new Iptables(commands);
}

class Iptables implements Firewall {
  readonly name = 'iptables';
  readonly tools = families.flatMap((family) => [programs[family].restore, programs[family].save]);
  /** What is read must still hold when it is changed: one step after another. */
  private readonly serial = openTurns();
  private readonly seen = openSeen();

  constructor(private readonly commands: Commands) {}

  async require(): Promise<void> {
    await Promise.all(this.tools.map((tool) => this.commands.require(tool)));
  }

  async apply(plans: readonly NetworkPlan[]): Promise<void> {
    await this.change(plans.filter(isGuarded), chainsOf);
  }

  /** Chains that the network has no more go with the change, as the bridge's suffix names them. */
  async update(_: NetworkPlan, after: NetworkPlan): Promise<void> {
    await this.apply([after]);
  }

  async remove(plan: NetworkPlan): Promise<void> {
    await this.change([plan].filter(isGuarded), () => []);
  }

  /** What is shared goes in the transaction with the last network's rules. */
  async tidy(): Promise<void> {}

  present(plans: readonly NetworkPlan[]): Promise<boolean[]> {
    if (!plans.some(isGuarded)) return Promise.resolve(plans.map(() => true));
    return this.serial(async () => {
      const tables = { ipv4: await this.look('ipv4'), ipv6: await this.look('ipv6') };
      return plans.map((plan) => this.isPresent(plan, tables));
    });
  }

  /** The iptables of today makes nftables' rules, and nft tells of those; nobody tells of the older one's. */
  async notice(): Promise<Notice> {
    const kind = await this.commands.read(programs.ipv4.restore, ['--version']);
    const canListen = kind.includes('nf_tables') && await this.commands.require('nft').then(() => true, () => false);
    return canListen ? { tool: 'nft', argv: ['monitor'], concerns: /\bVNET_|^delete \w+ ip6? (filter|nat)\b/ } : { everyMs: lookEveryMs };
  }

  async holdsAny(): Promise<boolean> {
    const tables = await Promise.all(families.map((family) => this.look(family)));
    return tables.some((each) => [...each.values()].some((chains) => [...chains.keys()].some(isRuleChain)));
  }

  private isPresent(plan: NetworkPlan, tables: Record<Family, Tables>): boolean {
    const wanted = families.map((family) => ({ chains: chainsOf(plan, family), tables: tables[family] }));
    if (!wanted.every((each) => stands(each.tables, each.chains))) return false;
    return this.seen.isSame(plan.uuid, JSON.stringify(wanted.map((each) => contents(each.tables, each.chains))));
  }

  /** Brings networks' chains from how they stand to how they should. */
  private async change(plans: readonly NetworkPlan[], wanted: typeof chainsOf): Promise<void> {
    if (plans.length === 0) return;
    return this.serial(async () => {
      for (const { uuid } of plans) this.seen.forget(uuid);
      await together(...families.map(async (family) => {
        const input = renderChange(await this.look(family), plans, plans.flatMap((plan) => wanted(plan, family)));
        if (input === '') return;
        await this.commands.run(programs[family].restore, ['--noflush', `--wait=${lockTimeoutSeconds}`], { input });
        if (isEnd(input)) for (const table of ['filter', 'nat'] as const) await sweepTable(this.commands, `${family === 'ipv4' ? 'ip' : 'ip6'} ${table}`);
      }));
    });
  }

  private async look(family: Family): Promise<Tables> {
    return parseSave(await this.commands.read(programs[family].save, []));
  }
}

/** Whether a chain is one of the rules for networks; what else of ours stands in iptables is not this firewall's. */
function isRuleChain(name: string): boolean {
  return hooks.some(({ chain }) => chain === name) || suffixOf(name) !== undefined;
}

function isGuarded(plan: NetworkPlan): boolean {
  return policyOf(plan) !== undefined;
}
