/**
 * Lives here: a firewall of ours that also sees to it that other programs'
 * firewalls let our networks pass, as far as these offer a place for it. Does
 * not know: any such program.
 */
import type { NetworkPlan } from '../../driver/host.js';
import type { Firewall, Notice } from '../firewall/firewall.js';
import { forwardedFamilies } from '../forwarding.js';
import { together } from '../undo.js';

/** Another program's firewall that has a place for our networks. */
export interface Neighbour {
  /** What a line of `nft monitor` has in it that may be about our place. */
  readonly concerns: RegExp;
  /** Lets networks pass. Doing it twice is the same as once. Nothing is done where the program is not. */
  apply(plans: readonly NetworkPlan[]): Promise<void>;
  /** Takes away what was placed for a network. */
  remove(plan: NetworkPlan): Promise<void>;
  /** For each network, whether it is let pass, or nothing is to be done for it. Only reads. */
  present(plans: readonly NetworkPlan[]): Promise<boolean[]>;
  /** How often to look, if nobody may tell of changes; in milliseconds. */
  lookEveryMs(): Promise<number | undefined>;
}

/** How often neighbours are looked at where the firewall itself needs no looking, in milliseconds. */
const lookEveryMs = 1500;

/** Puts neighbours beside a firewall: what is applied, removed and looked for goes to all. */
export function besideNeighbours(firewall: Firewall, neighbours: readonly Neighbour[]): Firewall {
  const applyBeside = (plans: readonly NetworkPlan[]) => together(...neighbours.map((each) => each.apply(plans)));
  return {
    name: firewall.name,
    tools: firewall.tools,
    require: () => firewall.require(),
    async apply(plans) {
      // Where ours stand among theirs, theirs may refer to ours: these come first and go last.
      if (firewall.name === 'iptables') await firewall.apply(plans);
      await applyBeside(plans);
      if (firewall.name !== 'iptables') await firewall.apply(plans);
    },
    async update(before, after) {
      await firewall.update(before, after);
      // Of what a place goes by, only the families change while a network stands.
      if (forwardedFamilies(after).join() !== forwardedFamilies(before).join()) await applyBeside([after]);
    },
    async remove(plan) {
      // Each runs whatever becomes of the other.
      const [beside] = await Promise.allSettled([together(...neighbours.map((each) => each.remove(plan)))]);
      await firewall.remove(plan);
      if (beside.status === 'rejected') throw beside.reason;
    },
    tidy: () => firewall.tidy(),
    holdsAny: () => firewall.holdsAny(),
    async present(plans) {
      if (plans.length === 0) return [];
      const found = await Promise.all([firewall, ...neighbours].map((each) => each.present(plans)));
      return plans.map((_, index) => found.every((each) => each[index]));
    },
    notice: () => noticeOf(firewall, neighbours),
  };
}

async function noticeOf(firewall: Firewall, neighbours: readonly Neighbour[]): Promise<Notice> {
  // A firewall that guards nothing tells of nothing.
  const notice = firewall.notice().catch((): Notice => ({ everyMs: lookEveryMs }));
  const [own, ...often] = await Promise.all([notice, ...neighbours.map((each) => each.lookEveryMs())]) as [Notice, ...(number | undefined)[]];
  const everyMs = [own.everyMs, ...often].filter((each) => each !== undefined).sort((a, b) => a - b)[0];
  if (!('tool' in own)) return own;
  const concerns = new RegExp([own.concerns, ...neighbours.map((each) => each.concerns)].map(({ source }) => source).join('|'));
  return { ...own, concerns, ...(everyMs === undefined ? {} : { everyMs }) };
}
