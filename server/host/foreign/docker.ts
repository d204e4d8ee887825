/**
 * Lives here: the place that Docker offers for the rules of others: its chain
 * DOCKER-USER, which it asks first and leaves alone. There is one jump from it
 * to a chain of ours, with two lines for each bridge. What concerns a bridge of
 * Docker's is left to Docker. Does not know: what a network permits; that is
 * decided in our own rules, which a packet has to pass as well: in a table of
 * their own, or, with iptables, in a chain that is asked from here too, since
 * what is accepted here does not come to it any more.
 */
import { readFile } from 'node:fs/promises';
import type { Family } from '../../../shared/address.js';
import type { NetworkPlan } from '../../driver/host.js';
import type { Commands, Tool } from '../command.js';
import { parseSave, type Chains } from '../firewall/iptables-state.js';
import { policyOf } from '../firewall/policy.js';
import { forwardedFamilies } from '../forwarding.js';
import { openGathering } from '../gather.js';
import { safeInterface } from '../safe-text.js';
import type { Neighbour } from './neighbour.js';

/** Docker's chain, and ours. */
const place = 'DOCKER-USER';
const chain = 'VNET-ACCEPT';
const jump = `-j ${chain}`;

/** The chain of ours that judges forwarded packets, if iptables guards networks. */
const judge = 'VNET_FORWARD';

/** The names that Docker gives to its bridges. */
const dockerBridges = ['docker+', 'br-+'];

/** Each iptables in which Docker may have its rules. The older one is there under a name of its own where the newer one has the plain name. */
const variants: readonly { family: Family; save: Tool; restore: Tool; older?: string }[] = [
  { family: 'ipv4', save: 'iptables-save', restore: 'iptables-restore' },
  { family: 'ipv6', save: 'ip6tables-save', restore: 'ip6tables-restore' },
  { family: 'ipv4', save: 'iptables-legacy-save', restore: 'iptables-legacy-restore', older: 'ip_tables_names' },
  { family: 'ipv6', save: 'ip6tables-legacy-save', restore: 'ip6tables-legacy-restore', older: 'ip6_tables_names' },
];

type Variant = typeof variants[number];

/** How long to wait for others who have the lock of the older iptables, in seconds. */
const lockTimeoutSeconds = 10;

/** How often to look at the older iptables, which tells nobody of changes, in milliseconds. */
const olderLookMs = 1500;

/**
 * Opens Docker's place.
 *
 * @param accept take it; if not, what is there from when it was taken goes with the networks it is for
 */
export function openDocker(commands: Commands, accept: boolean): Neighbour {
  return new Docker(commands, accept);
}

class Docker implements Neighbour {
  readonly concerns = new RegExp(`\\b(${place}|${chain})\\b`);
  private last: Promise<unknown> = Promise.resolve();
  private readonly applying = openGathering<NetworkPlan>((plans) => this.change(plans, []));
  private readonly removing = openGathering<NetworkPlan>((plans) => this.change([], plans));

  /** Nothing of ours is there, and nothing will be. */
  private empty = false;

  constructor(private readonly commands: Commands, private readonly accept: boolean) {}

  async apply(plans: readonly NetworkPlan[]): Promise<void> {
    if (!this.accept) return;
    await Promise.all(plans.filter((plan) => forwardedFamilies(plan).length > 0).map((plan) => this.applying.add(plan)));
  }

  async remove(plan: NetworkPlan): Promise<void> {
    if (forwardedFamilies(plan).length > 0 && !this.empty) await this.removing.add(plan);
  }

  async present(plans: readonly NetworkPlan[]): Promise<boolean[]> {
    if (!this.accept) return plans.map(() => true);
    const found = await Promise.all(variants.map(async (variant) => ({ family: variant.family, chains: await this.look(variant) })));
    return plans.map((plan) => forwardedFamilies(plan).every((family) => found.every((each) =>
      each.family !== family || each.chains?.has(place) !== true || (each.chains.get(place)?.[0] === jump && bridgesOf(each.chains).has(plan.bridge)))));
  }

  async lookEveryMs(): Promise<number | undefined> {
    if (!this.accept) return undefined;
    const names = await Promise.all(variants.map(({ older }) => (older === undefined ? '' : namesOf(older))));
    return names.some((each) => each !== '') ? olderLookMs : undefined;
  }

  /** Lets some networks pass and others no longer. */
  private change(added: readonly NetworkPlan[], removed: readonly NetworkPlan[]): Promise<void> {
    const step = async () => {
      let found = false;
      for (const variant of variants) {
        const chains = await this.look(variant);
        found ||= chains?.has(chain) === true;
        if (chains === undefined) continue;
        const plans = added.filter((plan) => forwardedFamilies(plan).includes(variant.family));
        const input = renderPlace(chains, plans.map(({ bridge }) => safeInterface(bridge)), removed.map(({ bridge }) => safeInterface(bridge)),
          plans.filter((plan) => policyOf(plan) !== undefined).map(({ bridge }) => bridge));
        if (input !== '') await this.commands.run(variant.restore, ['--noflush', `--wait=${lockTimeoutSeconds}`], { input });
      }
      this.empty = !this.accept && !found;
    };
    const next = this.last.then(step, step);
    this.last = next.catch(() => undefined);
    return next;
  }

  /** The chains of the table filter; undefined where this iptables holds nothing. */
  private async look({ save, older }: Variant): Promise<Chains | undefined> {
    if (older !== undefined && !(await namesOf(older)).includes('filter')) return undefined;
    const text = await this.commands.read(save, []).catch(() => '');
    return parseSave(text).get('filter');
  }
}

/** The tables of the older iptables that have been used; to ask it for one is to use it. */
async function namesOf(file: string): Promise<string> {
  return (await readFile(`/proc/net/${file}`, 'utf8').catch(() => '')).trim();
}

/** The bridges whose packets our chain sends to a target. */
function bridgesOf(chains: Chains, target = 'ACCEPT'): Set<string> {
  const rules = (chains.get(chain) ?? []).filter((rule) => rule.endsWith(` -j ${target}`));
  return new Set(rules.flatMap((rule) => /^-i (\S+) -j \S+$/.exec(rule)?.[1] ?? []));
}

/**
 * The input of `iptables-restore --noflush` after which our chain has these
 * bridges more and those less, and is asked first; or is gone, if it has none.
 * Empty if there is nothing to do.
 *
 * @param judged those that are added whose packets our own rules judge
 */
export function renderPlace(chains: Chains, added: readonly string[], removed: readonly string[], judged: readonly string[]): string {
  const before = bridgesOf(chains);
  const judges = chains.has(judge) ? new Set([...[...bridgesOf(chains, judge)].filter((bridge) => !added.includes(bridge)), ...judged]) : new Set<string>();
  const same = (bridge: string) => before.has(bridge) && bridgesOf(chains, judge).has(bridge) === judges.has(bridge);
  const offered = chains.has(place);
  const bridges = offered ? [...new Set([...before, ...added])].filter((bridge) => !removed.includes(bridge)) : [];
  const jumps = (chains.get(place) ?? []).filter((rule) => rule === jump).map((rule) => `-D ${place} ${rule}`);
  if (bridges.length === 0) {
    if (!chains.has(chain)) return '';
    // A chain cannot be deleted in the transaction that deletes the last jump to it.
    return renderTransaction([...jumps, `-F ${chain}`]) + renderTransaction([`-X ${chain}`]);
  }
  if (bridges.length === before.size && bridges.every(same) && chains.get(place)?.[0] === jump) return '';
  return renderTransaction([
    `:${chain} -`,
    ...dockerBridges.flatMap((name) => [`-A ${chain} -i ${name} -j RETURN`, `-A ${chain} -o ${name} -j RETURN`]),
    ...bridges.filter((bridge) => judges.has(bridge)).flatMap((bridge) => bothWays(bridge, judge)),
    ...bridges.flatMap((bridge) => bothWays(bridge, 'ACCEPT')),
    ...jumps, `-I ${place} ${jump}`,
  ]);
}

function bothWays(bridge: string, target: string): string[] {
  return ['-i', '-o'].map((way) => `-A ${chain} ${way} ${bridge} -j ${target}`);
}

function renderTransaction(lines: string[]): string {
  return `*filter\n${lines.join('\n')}\nCOMMIT\n`;
}
