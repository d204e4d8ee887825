/**
 * Lives here: guarding networks with nft: which commands a change takes, in
 * what state of the table. Does not know: what a rule says (see
 * `nftables-rules.ts`).
 */
import type { NetworkPlan } from '../../driver/host.js';
import { CommandError, type Commands } from '../command.js';
import type { Firewall } from './firewall.js';
import { chainName, chainsOf, maps, renderBase, renderDeletion, renderEnd, renderNetwork, renderRemoval, table } from './nftables-rules.js';

/** What stands of our table. */
interface Ruleset {
  /** The base chains have their rules. */
  base: boolean;
  /** For each map, the chain that an interface's packets are sent to. */
  elements: Map<string, Map<string, string>>;
  /** For each chain, the number of its rules. */
  chains: Map<string, number>;
}

/** One object of `nft -j list`. */
interface Listed {
  map?: { name: string; elem?: [string, { jump?: { target: string } }][] };
  chain?: { name: string };
  rule?: { chain: string };
}

/** The rules that the base chains have. */
const baseRules = { forward: 2, postrouting: 1 } as const;

/** Opens the nftables firewall. Nothing is done until a network is guarded. */
export function openNftables(commands: Commands): Firewall {
  return new Nftables(commands);
}

class Nftables implements Firewall {
  /** The kernel lets one transaction in at a time; a second one at once would be done over. */
  private last: Promise<unknown> = Promise.resolve();
  /** Whether the base stood when it was last seen; undefined if that is not known. */
  private baseStands: boolean | undefined;

  constructor(private readonly commands: Commands) {}

  require(): Promise<void> {
    return this.commands.require('nft');
  }

  async apply(plan: NetworkPlan): Promise<void> {
    const rules = renderNetwork(plan);
    if (rules === '') return;
    return this.serial(async () => {
      if (this.baseStands !== undefined) {
        const first = this.baseStands ? rules : renderBase() + rules;
        if (await this.attempt(first)) {
          this.baseStands = true;
          return;
        }
      }
      const stands = await this.look();
      await this.transact((stands?.base === true ? '' : renderBase()) + renderStrangers(stands, plan) + rules);
      this.baseStands = true;
    });
  }

  async remove(plan: NetworkPlan): Promise<void> {
    const removal = renderRemoval(plan);
    if (removal === '') return;
    return this.serial(async () => {
      if (this.baseStands === false) return;
      const done = await this.attempt(removal);
      const stands = await this.look();
      const rest = done || stands === undefined ? '' : renderRest(stands, plan);
      if (stands !== undefined && isEmptyWithout(stands, plan)) {
        await this.transact(renderEnd());
        this.baseStands = false;
      } else if (rest !== '') {
        await this.transact(rest);
      }
      if (stands === undefined) this.baseStands = false;
    });
  }

  present(plans: readonly NetworkPlan[]): Promise<boolean[]> {
    const wanted = plans.map(chainsOf);
    if (wanted.every((chains) => chains.length === 0)) return Promise.resolve(plans.map(() => true));
    return this.serial(async () => {
      const stands = await this.look();
      this.baseStands = stands?.base === true;
      return plans.map(({ bridge }, index) => wanted[index]!.length === 0 || (stands?.base === true && wanted[index]!.every(({ map, name, rules }) =>
        stands.elements.get(map)?.get(bridge) === name && stands.chains.get(name) === rules.length)));
    });
  }

  private serial<T>(step: () => Promise<T>): Promise<T> {
    const next = this.last.then(step, step);
    this.last = next.catch(() => undefined);
    return next;
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
  const chains = new Map<string, number>();
  for (const { map, chain, rule } of (JSON.parse(json) as { nftables: Listed[] }).nftables) {
    if (map !== undefined) elements.set(map.name, new Map((map.elem ?? []).map(([key, verdict]) => [key, verdict.jump?.target ?? ''])));
    if (chain !== undefined) chains.set(chain.name, chains.get(chain.name) ?? 0);
    if (rule !== undefined) chains.set(rule.chain, (chains.get(rule.chain) ?? 0) + 1);
  }
  const base = maps.every((map) => elements.has(map)) && Object.entries(baseRules).every(([chain, count]) => chains.get(chain) === count);
  return { base, elements, chains };
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

/** Whether the table has no network's chain but perhaps this one's. */
function isEmptyWithout({ chains }: Ruleset, { uuid }: NetworkPlan): boolean {
  const passed = new Set([...Object.keys(baseRules), ...maps.map((map) => chainName(map, uuid))]);
  return [...chains.keys()].every((name) => passed.has(name));
}
