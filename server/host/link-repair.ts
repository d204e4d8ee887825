/**
 * Lives here: what another program altered of the bridge of a network that is
 * up, and the lines of ip that put it right again: made of the same text as a
 * start. Does not know: when it is looked at (see `link-watch.ts`); what is
 * done about a bridge that is gone.
 */
import { formatSubnet } from '../../shared/address.js';
import { familyOfIp, prefixOfIp, subnetOfRoute, type Ip } from '../../shared/definition/index.js';
import type { NetworkPlan } from '../driver/host.js';
import type { Commands } from './command.js';
import { hasIpv6, renderAddress, renderAlias, renderRoute } from './link.js';
import { safeInterface, safeNumber } from './safe-text.js';
import { setBridgeIpv6 } from './sysctl.js';

/** A bridge as `ip -json -details addr show type bridge` tells of it. */
export interface SeenBridge {
  ifname?: string;
  ifalias?: string;
  flags?: string[];
  mtu?: number;
  linkinfo?: { info_data?: { stp_state?: number } };
  addr_info?: { family?: string; local?: string; prefixlen?: number; scope?: string }[];
}

/** What is seen of the machine's bridges at one moment. */
export interface SeenBridges {
  byName: ReadonlyMap<string, SeenBridge>;
  /** The targets of static routes, each as `10.7.0.0/24 virbr7`; of a single host without a prefix. */
  routes: ReadonlySet<string>;
}

/** What is wrong with a bridge. */
export interface Drift {
  /** For people, each one thing: `set down`, `address 10.7.0.1/24`. */
  what: string[];
  /** The lines of `ip -batch` that put it right. */
  lines: string[];
  /** Whether IPv6 is to be on or off there before that; absent: it is as it should be. */
  ipv6?: boolean;
}

/** Looks at all bridges, and at routes if any of the networks has some. */
export async function readBridgesInFull(commands: Commands, plans: readonly NetworkPlan[]): Promise<SeenBridges> {
  const families = plans.some(({ definition }) => definition.routes.length > 0) ? ['-4', '-6'] : [];
  const [bridges, ...routes] = await Promise.all([
    commands.read('ip', ['-json', '-details', 'addr', 'show', 'type', 'bridge']),
    ...families.map((family) => commands.read('ip', ['-json', family, 'route', 'show', 'proto', 'static'])),
  ]);
  const shown = JSON.parse(bridges || '[]') as SeenBridge[];
  const reached = routes.flatMap((text) => JSON.parse(text || '[]') as { dst?: string; dev?: string }[]);
  return {
    byName: new Map(shown.flatMap((bridge) => (bridge.ifname === undefined ? [] : [[bridge.ifname, bridge] as const]))),
    routes: new Set(reached.map(({ dst = '', dev = '' }) => `${withoutHostPrefix(dst)} ${dev}`)),
  };
}

/** What differs from a network's plan; undefined if its bridge is not there, or is not marked as its own. */
export function driftOf(plan: NetworkPlan, { byName, routes }: SeenBridges): Drift | undefined {
  const seen = byName.get(plan.bridge);
  if (seen === undefined || seen.ifalias !== renderAlias(plan)) return undefined;
  const name = safeInterface(plan.bridge);
  const { mtu, bridge: { stp } = { stp: true }, ips } = plan.definition;
  const standing = new Set((seen.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`));
  const lost = ips.filter((ip) => !standing.has(addressOf(ip)));
  const down = seen.flags?.includes('UP') !== true;
  // A bridge that is set down loses its routes.
  const unreached = plan.definition.routes.filter((route) => down || !routes.has(`${withoutHostPrefix(formatSubnet(subnetOfRoute(route)))} ${name}`));
  const altered = [
    ...(mtu === undefined || mtu === 0 || seen.mtu === undefined || seen.mtu === mtu ? [] : [{ what: `MTU ${seen.mtu}`, line: `link set dev ${name} mtu ${safeNumber(mtu, 1, 0xffffffff)}` }]),
    ...(altersStp(seen, stp) ? [{ what: `STP ${stp ? 'off' : 'on'}`, line: `link set dev ${name} type bridge stp_state ${stp ? '1' : '0'}` }] : []),
    ...lost.map((ip) => ({ what: `address ${addressOf(ip)} missing`, line: `addr replace ${renderAddress(ip, name)}` })),
    ...(down ? [{ what: 'set down', line: `link set dev ${name} up` }] : []),
    ...unreached.map((route) => ({ what: `route ${formatSubnet(subnetOfRoute(route))} missing`, line: `route replace ${renderRoute(route, name)}` })),
  ];
  // An address that somebody gave it is meant so; one that the kernel gave it tells that IPv6 was turned on for all.
  const ipv6 = (seen.addr_info ?? []).filter(({ family }) => family === 'inet6');
  const intruding = !hasIpv6(plan) && ipv6.length > 0 && ipv6.every(({ scope }) => scope === 'link');
  return {
    what: [...altered.map(({ what }) => what), ...(intruding ? ['IPv6 on'] : [])],
    lines: altered.map(({ line }) => line),
    ...(intruding ? { ipv6: false } : lost.some((ip) => familyOfIp(ip) === 'ipv6') ? { ipv6: true } : {}),
  };
}

/** Puts right what differs. @throws {NetworkError} INTERNAL_ERROR with ip's words; SYSTEM_ERROR for what is under /proc/sys */
export async function applyRepair(commands: Commands, plan: NetworkPlan, { lines, ipv6 }: Drift): Promise<void> {
  if (ipv6 !== undefined) await setBridgeIpv6(plan.bridge, ipv6);
  if (lines.length > 0) await commands.run('ip', ['-batch', '-'], { input: lines.map((line) => `${line}\n`).join('') });
}

function altersStp(seen: SeenBridge, stp: boolean): boolean {
  const state = seen.linkinfo?.info_data?.stp_state;
  return state !== undefined && (state !== 0) !== stp;
}

function addressOf(ip: Ip): string {
  return `${ip.address}/${prefixOfIp(ip)}`;
}

function withoutHostPrefix(subnet: string): string {
  return subnet.replace(/\/(32|128)$/, '');
}
