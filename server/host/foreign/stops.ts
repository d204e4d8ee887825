/**
 * Lives here: which of a network's packets other programs' rules stop, said for
 * people, with what to do. Does not know: how rules are read, who is told.
 */
import type { Family } from '../../../shared/address.js';
import type { NetworkPlan } from '../../driver/host.js';
import { stopOf, type ForeignChain, type Stop } from './chains.js';
import { describeStop, ownerOf } from './owner.js';
import { neededPackets, type NeededPacket, type Packet } from './packet.js';

/** One place where packets of a network end. */
export interface Stoppage {
  /** Whose rules these are: `Docker`. */
  owner: string;
  /** Where, the same for every network: `the policy of chain FORWARD (iptables, table ip filter) is drop`. */
  where: string;
  message: string;
  advice: string;
}

/** The interface of the host's default route, for each family that has one: the first. */
export function uplinksOf(defaultRoutes: readonly { family: Family; interface: string }[]): Partial<Record<Family, string>> {
  return Object.fromEntries(defaultRoutes.map((route) => [route.family, route.interface]).reverse()) as Partial<Record<Family, string>>;
}

/** Where packets end that a network cannot do without. */
export function stoppagesOf(plan: NetworkPlan, chains: readonly ForeignChain[], uplinks: Partial<Record<Family, string>>, hook: Packet['hook']): Stoppage[] {
  const stopped = new Map<string, { stop: Stop; needed: NeededPacket[] }>();
  for (const needed of neededPackets(plan, uplinks).filter(({ packet }) => packet.hook === hook)) {
    const stop = stopOf(chains, needed.packet);
    if (stop === undefined) continue;
    const where = describeStop(stop);
    stopped.set(where, { stop, needed: [...stopped.get(where)?.needed ?? [], needed] });
  }
  return [...stopped].map(([where, { stop, needed }]) => {
    const owner = ownerOf(stop, chains);
    const what = [...new Set(needed.map((each) => each.what))].join(' and ');
    return {
      owner: owner.name, where,
      message: `${owner.name} drops ${what}: ${where}; what vnet's own rules let pass must pass there too`,
      advice: [...new Set(needed.map(({ packet }) => owner.advice(plan.bridge, packet)))].join(' && '),
    };
  });
}
