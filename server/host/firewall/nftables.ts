/**
 * Lives here: guarding networks with nft: which commands a change takes, in
 * what state of the table. Does not know: what a rule says (see
 * `nftables-rules.ts`).
 */
import type { NetworkPlan } from '../../driver/host.js';
import { CommandError, type Commands } from '../command.js';
import { openGathering } from '../gather.js';
import type { Firewall, Notice } from './firewall.js';
import { chainName, chainsOf, maps, renderBase, renderDeletion, renderEnd, renderNetwork, renderRemoval, renderUnneeded, renderUpdate, table } from './nftables-rules.js';
import { openSeen } from './seen.js';
import { openTurns } from '../turns.js';

/** What stands of our table. */
interface Ruleset {
  /** The base chains have their rules. */
  base: boolean;
  /** For each map, the chain that an interface's packets are sent to. */
  elements: Map<string, Map<string, string>>;
  /** For each chain, its rules as nft's JSON. */
  chains: Map<string, string[]>;
}

/** One object of `nft -j list`. */
interface Listed {
  map?: { name: string; elem?: [string, { jump?: { target: string } }][] };
  chain?: { name: string };
  rule?: { chain: string; expr: unknown };
}

/** The rules that the base chains have. */
const baseRules = { forward: 2, postrouting: 1 } as const;

/** Under which the base chains are remembered: no network's UUID. */
const baseKey = 'base';

/** Opens the nftables firewall. Nothing is done until a network is guarded. */
export function openNftables(commands: Commands): Firewall {
  return new Nftables(commands);
}

class Nftables implements Firewall {
  readonly name = 'nftables';
  readonly tools = ['nft'] as const;
  private readonly seen = openSeen();
  /** The kernel lets one transaction in at a time; a second one at once would be done over. */
  private readonly serial = openTurns();
  private readonly applying = openGathering<NetworkPlan>((plans) => this.load(plans));
  private readonly removing = openGathering<NetworkPlan>((plans) => this.unload(plans));
  /** The networks whose rules stand, as far as this process knows. */
  private readonly guarded = new Set<string>();
  /** Whether the base stood when it was last seen; undefined if that is not known. */
  private baseStands: boolean | undefined;

  constructor(private readonly commands: Commands) {}

  require(): Promise<void> {
    return this.commands.require('nft');
  }

  async apply(plans: readonly NetworkPlan[]): Promise<void> {
    await Promise.all(plans.filter((plan) => chainsOf(plan).length > 0).map((plan) => this.applying.add(plan)));
  }

  async update(before: NetworkPlan, after: NetworkPlan): Promise<void> {
    const rules = renderUpdate(before, after);
    if (rules === '') return;
    await this.serial(async () => {
      this.seen.forget(after.uuid);
      // On a table that is not as it was thought to be, all of the network's rules are made anew.
      if (this.baseStands !== true || !await this.attempt(rules)) await this.loadOnWhatStands([after], rules + renderNetwork(after));
      this.baseStands = true;
    });
  }

  async remove(plan: NetworkPlan): Promise<void> {
    if (chainsOf(plan).length > 0) await this.removing.add(plan);
  }

  private load(plans: readonly NetworkPlan[]): Promise<void> {
    return this.serial(async () => {
      const rules = plans.map((plan) => (this.guarded.has(plan.uuid) ? renderUnneeded(plan) : '') + renderNetwork(plan)).join('');
      for (const { uuid } of plans) this.seen.forget(uuid);
      if (this.baseStands !== true || !await this.attempt(rules)) await this.loadOnWhatStands(plans, rules);
      this.baseStands = true;
      for (const { uuid } of plans) this.guarded.add(uuid);
    });
  }

  /** Loads rules when the table may not be as it was thought to be: on a base, and in place of what strangers left. */
  private async loadOnWhatStands(plans: readonly NetworkPlan[], rules: string): Promise<void> {
    if (this.baseStands === false && await this.attempt(renderBase() + rules)) return;
    const stands = await this.look();
    this.seen.forget(baseKey);
    await this.transact((stands?.base === true ? '' : renderBase()) + plans.map((plan) => renderStrangers(stands, plan)).join('') + rules);
  }

  private unload(plans: readonly NetworkPlan[]): Promise<void> {
    return this.serial(async () => {
      const done = this.baseStands !== false && await this.attempt(plans.map(renderRemoval).join(''));
      for (const { uuid } of plans) this.guarded.delete(uuid);
      if (done || this.baseStands === false) return;
      const stands = await this.look();
      const rest = stands === undefined ? '' : plans.map((plan) => renderRest(stands, plan)).join('');
      if (stands === undefined) this.baseStands = false;
      else if (rest !== '') await this.transact(rest);
    });
  }

  tidy(): Promise<void> {
    return this.serial(async () => {
      if (this.guarded.size > 0 || this.baseStands === false) return;
      const stands = await this.look();
      // Chains of networks that this process knows nothing of are somebody's.
      if (stands !== undefined && !isEmpty(stands)) return;
      if (stands !== undefined) await this.transact(renderEnd());
      this.baseStands = false;
    });
  }

  present(plans: readonly NetworkPlan[]): Promise<boolean[]> {
    const wanted = plans.map(chainsOf);
    if (wanted.every((chains) => chains.length === 0)) return Promise.resolve(plans.map(() => true));
    return this.serial(async () => {
      const stands = await this.look();
      this.baseStands = stands?.base === true && this.seen.isSame(baseKey, contents(stands, Object.keys(baseRules)));
      const present = plans.map((plan, index) => this.isPresent(plan, wanted[index]!, stands));
      for (const [index, { uuid }] of plans.entries()) if (present[index]! && wanted[index]!.length > 0) this.guarded.add(uuid);
      return present;
    });
  }

  async holdsAny(): Promise<boolean> {
    return await this.serial(() => this.look()) !== undefined;
  }

  async notice(): Promise<Notice> {
    return { tool: 'nft', argv: ['monitor'], concerns: new RegExp(`\\b${table}\\b`) };
  }

  private isPresent({ uuid, bridge }: NetworkPlan, chains: ReturnType<typeof chainsOf>, stands: Ruleset | undefined): boolean {
    if (chains.length === 0) return true;
    if (stands === undefined || this.baseStands !== true) return false;
    return chains.every(({ map, name, rules }) => stands.elements.get(map)?.get(bridge) === name && stands.chains.get(name)?.length === rules.length)
      && this.seen.isSame(uuid, contents(stands, chains.map(({ name }) => name)));
  }

  private async transact(rules: string): Promise<void> {
    await this.commands.run('nft', ['-f', '-'], { input: rules });
  }

  /** Runs a transaction that fails if the table is not as it was thought to be. */
  private async attempt(rules: string): Promise<boolean> {
    try {
      await this.transact(rules);
      return true;
    } catch (error) {
      if (error instanceof CommandError) return false;
      throw error;
    }
  }

  /** What stands of our table; undefined if there is none. */
  private async look(): Promise<Ruleset | undefined> {
    try {
      return parseRuleset(await this.commands.read('nft', ['--json', 'list', 'table', ...table.split(' ')]));
    } catch (error) {
      if (error instanceof CommandError && error.words.includes('No such file or directory')) return undefined;
      throw error;
    }
  }
}

/** Reads `nft --json list table`. */
export function parseRuleset(json: string): Ruleset {
  const elements = new Map<string, Map<string, string>>();
  const chains = new Map<string, string[]>();
  for (const { map, chain, rule } of (JSON.parse(json) as { nftables: Listed[] }).nftables) {
    if (map !== undefined) elements.set(map.name, new Map((map.elem ?? []).map(([key, verdict]) => [key, verdict.jump?.target ?? ''])));
    if (chain !== undefined) chains.set(chain.name, chains.get(chain.name) ?? []);
    if (rule !== undefined) chains.set(rule.chain, [...chains.get(rule.chain) ?? [], JSON.stringify(rule.expr)]);
  }
  const base = maps.every((map) => elements.has(map)) && Object.entries(baseRules).every(([chain, count]) => chains.get(chain)?.length === count);
  return { base, elements, chains };
}

/** What stands in chains, in one text. */
function contents({ chains }: Ruleset, names: string[]): string {
  return JSON.stringify(names.map((name) => chains.get(name)));
}

/** Deletes what another network left behind for a network's bridge. */
function renderStrangers(stands: Ruleset | undefined, { bridge, uuid }: NetworkPlan): string {
  const strange = maps.filter((map) => ![undefined, chainName(map, uuid)].includes(stands?.elements.get(map)?.get(bridge)));
  return renderDeletion(strange.map((map) => ({ map, key: bridge })), []);
}

/** Deletes what stands of a network that does not stand in full. */
function renderRest(stands: Ruleset, { uuid }: NetworkPlan): string {
  const names = maps.map((map) => chainName(map, uuid)).filter((name) => stands.chains.has(name));
  const elements = maps.flatMap((map) => [...stands.elements.get(map) ?? []]
    .filter(([, target]) => names.includes(target)).map(([key]) => ({ map, key })));
  return renderDeletion(elements, names);
}

/** Whether the table has no network's chain. */
function isEmpty({ chains }: Ruleset): boolean {
  return [...chains.keys()].every((name) => Object.hasOwn(baseRules, name));
}
