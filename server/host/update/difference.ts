/**
 * Lives here: what differs on the host between two plans of one network, and
 * what only a new start can change. Pure. Does not know: how it is changed.
 */
import type { Family } from '../../../shared/address.js';
import { familyOfIp, networkMode, prefixOfIp, type Ip, type Route } from '../../../shared/definition/index.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import type { HostChange, NetworkPlan } from '../../driver/host.js';
import type { Rendered } from '../dnsmasq.js';
import { policyOf } from '../firewall/policy.js';
import { renderAddress, renderRoute } from '../link.js';
import { safeInterface } from '../safe-text.js';

/** What is done to a dnsmasq: `reload` makes it read its hosts files again. */
export type DnsmasqStep = 'none' | 'reload' | 'restart' | 'start' | 'stop';

/** What differs. */
export interface Difference {
  /** The bridge's own settings that differ, each with its new value. */
  link: { stp?: boolean; delay?: number; mtu?: number };
  addresses: { gone: Ip[]; come: Ip[] };
  routes: { gone: Route[]; come: Route[] };
  /** IPv6 goes on or off on the bridge. */
  ipv6?: boolean;
  rules: boolean;
  /** The host answers for guests elsewhere, or otherwise. */
  proxy: boolean;
  dnsmasq: DnsmasqStep;
  /** What tc does there. */
  queues: boolean;
}

/** Parts that a network gets when it is started and keeps: the element, and what of it counts. */
const fixed: Record<string, (plan: NetworkPlan) => unknown> = {
  'forward/@mode': ({ definition }) => networkMode(definition),
  'bridge/@name': ({ definition }) => definition.bridge?.name,
  mac: ({ definition }) => definition.mac,
};

/**
 * The elements in which two plans differ and that cannot be changed while the
 * network stands, as paths below `network`.
 */
export function fixedParts(before: NetworkPlan, after: NetworkPlan): string[] {
  const differ = Object.entries(fixed).filter(([, of]) => of(before) !== of(after)).map(([path]) => path);
  // A bridge without an MTU of its own follows its guests', and one that was given an MTU never does again.
  return (before.definition.mtu === undefined) === (after.definition.mtu === undefined) ? differ : [...differ, 'mtu'];
}

/**
 * Refuses a change that needs a new start.
 *
 * @throws {NetworkError} CONFIG_UNSUPPORTED naming the elements
 */
export function refuseFixed(before: NetworkPlan, after: NetworkPlan): void {
  const parts = fixedParts(before, after);
  if (parts.length === 0) return;
  throw new NetworkError(ErrorCode.CONFIG_UNSUPPORTED, `${parts.map((part) => `network/${part}`).join(' and ')} of network '${after.name}' cannot be changed while it is active`, {
    hint: `save the change and start it again: vnet destroy ${after.name} && vnet start ${after.name}`,
  });
}

/** What differs between two plans of a network that vnet builds. `files` are dnsmasq's, before and after. */
export function differenceOf(before: NetworkPlan, after: NetworkPlan, files: [Rendered | undefined, Rendered | undefined], queues: boolean): Difference {
  const bridge = safeInterface(after.bridge);
  const [old, now] = [before.definition, after.definition];
  const hadIpv6 = hasIpv6(before);
  return {
    link: {
      ...(now.bridge !== undefined && now.bridge.stp !== old.bridge?.stp ? { stp: now.bridge.stp } : {}),
      ...(now.bridge !== undefined && now.bridge.delay !== old.bridge?.delay ? { delay: now.bridge.delay } : {}),
      ...(now.mtu !== undefined && now.mtu !== old.mtu ? { mtu: now.mtu } : {}),
    },
    addresses: listsDiffer(old.ips, now.ips, (ip) => renderAddress(ip, bridge)),
    routes: listsDiffer(old.routes, now.routes, (route) => renderRoute(route, bridge)),
    ...(hadIpv6 === hasIpv6(after) ? {} : { ipv6: !hadIpv6 }),
    rules: JSON.stringify(policyOf(before)) !== JSON.stringify(policyOf(after)),
    proxy: JSON.stringify(proxyOf(before)) !== JSON.stringify(proxyOf(after)),
    dnsmasq: dnsmasqStep(...files),
    queues,
  };
}

/** For whom the host answers, and where. */
function proxyOf({ definition: { proxy, forward, ips } }: NetworkPlan): unknown {
  return proxy === undefined ? undefined : { proxy, device: forward?.dev, ips };
}

function dnsmasqStep(before: Rendered | undefined, after: Rendered | undefined): DnsmasqStep {
  if (before === undefined || after === undefined) return before === after ? 'none' : after === undefined ? 'stop' : 'start';
  if (before.conf !== after.conf) return 'restart';
  return before.hosts === after.hosts && before.names === after.names ? 'none' : 'reload';
}

function listsDiffer<T>(before: readonly T[], after: readonly T[], textOf: (part: T) => string): { gone: T[]; come: T[] } {
  const [old, now] = [new Set(before.map(textOf)), new Set(after.map(textOf))];
  return { gone: before.filter((part) => !now.has(textOf(part))), come: after.filter((part) => !old.has(textOf(part))) };
}

/** Whether a bridge has an IPv6 address. */
export function hasIpv6({ definition }: NetworkPlan): boolean {
  return definition.ips.some((ip) => familyOfIp(ip) === 'ipv6');
}

/** The changes that a difference comes to, in words. */
export function describeDifference({ link, addresses, routes, ipv6, rules, dnsmasq, queues }: Difference, { bridge, name }: NetworkPlan): HostChange[] {
  const text = (ip: Ip) => `${ip.address}/${prefixOfIp(ip)}`;
  const change = (part: HostChange['part'], what: string, hitless = true): HostChange => ({ part, what, hitless });
  return [
    ...(link.stp === undefined ? [] : [change('link', `turn STP ${link.stp ? 'on' : 'off'} on ${bridge}`, !link.stp)]),
    ...(link.delay === undefined ? [] : [change('link', `set the forward delay of ${bridge} to ${link.delay} s`)]),
    ...(link.mtu === undefined ? [] : [change('link', `set the MTU of ${bridge} to ${link.mtu}`, false)]),
    ...(ipv6 === undefined ? [] : [change('sysctl', `turn IPv6 ${ipv6 ? 'on' : 'off'} on ${bridge}`)]),
    ...addresses.gone.map((ip) => change('address', `remove ${text(ip)} from ${bridge}`, false)),
    ...addresses.come.map((ip) => change('address', `add ${text(ip)} to ${bridge}`)),
    ...routes.gone.map((route) => change('route', `remove ${renderRoute(route, bridge)}`, false)),
    ...routes.come.map((route) => change('route', `add ${renderRoute(route, bridge)}`)),
    ...(rules ? [change('rules', `replace the rules of network ${name}`)] : []),
    ...(dnsmasq === 'none' ? [] : [dnsmasqChange(dnsmasq, name)]),
    ...(queues ? [change('queue', `change what tc does on ${bridge}`, false)] : []),
  ];
}

/** Packets pass a bridge without dnsmasq; who asks it during a restart asks again. */
function dnsmasqChange(step: Exclude<DnsmasqStep, 'none'>, name: string): HostChange {
  const what = {
    reload: `make the dnsmasq of network ${name} read its hosts again`,
    restart: `restart the dnsmasq of network ${name}; leases stay`,
    start: `start a dnsmasq for network ${name}`,
    stop: `stop the dnsmasq of network ${name}`,
  }[step];
  return { part: 'dnsmasq', what, hitless: step === 'reload' || step === 'start' };
}

/** What starting a network does, in words. No guest is there yet. */
export function describeStart(plan: NetworkPlan, rendered: Rendered | undefined, forwards: readonly Family[], queues: boolean): HostChange[] {
  const { bridge, name, definition } = plan;
  const change = (part: HostChange['part'], what: string): HostChange => ({ part, what, hitless: true });
  return [
    change('link', `make bridge ${bridge}`),
    ...definition.ips.map((ip) => change('address', `add ${ip.address}/${prefixOfIp(ip)} to ${bridge}`)),
    ...definition.routes.map((route) => change('route', `add ${renderRoute(route, bridge)}`)),
    ...(policyOf(plan) === undefined ? [] : [change('rules', `add the rules of network ${name}`)]),
    ...(rendered === undefined ? [] : [dnsmasqChange('start', name)]),
    ...forwards.map((family) => change('sysctl', `let the host forward ${family === 'ipv4' ? 'IPv4' : 'IPv6'}`)),
    ...(queues ? [change('queue', `limit the bandwidth of ${bridge}`)] : []),
  ];
}
