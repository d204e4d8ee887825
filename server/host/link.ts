/**
 * Lives here: a network's bridge: what makes it, its addresses and routes,
 * knowing it for ours; and the bridge of the host that a network uses as it
 * is. Does not know: firewall, DHCP; when bridges are made (see `bridges.ts`).
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { formatSubnet, lastAddress, numberToAddress } from '../../shared/address.js';
import { familyOfIp, subnetOfIp, subnetOfRoute, type Ip, type Route } from '../../shared/definition/index.js';
import type { NetworkPlan } from '../driver/host.js';
import type { Commands } from './command.js';
import { readInterfaces } from './proc.js';
import { safeAddress, safeInterface, safeMac, safeNumber, uuidDigits } from './safe-text.js';
import { setBridgeIpv6 } from './sysctl.js';

/** What marks a bridge as a network's, where `ip link` shows it and every tool can read it. */
export function renderAlias(plan: NetworkPlan): string {
  uuidDigits(plan.uuid);
  return `vnet:${plan.uuid}`;
}

/** The `ip -batch` lines that make a network's bridge, down and marked. */
export function renderBridge(plan: NetworkPlan): string {
  const { mac, mtu, bridge: { stp, delay } = { stp: true, delay: 0 } } = plan.definition;
  const name = safeInterface(plan.bridge);
  return lines([
    'link add name', name,
    ...(mac === undefined ? [] : ['address', safeMac(mac)]),
    // The kernel counts in hundredths of a second. While STP is on it takes 2 seconds for anything less.
    'type bridge stp_state', stp ? '1' : '0', 'forward_delay', safeNumber(delay * 100, 0, 0xffffffff),
    ...(tellsBridge(plan) ? ['vlan_filtering 1'] : []),
  ], [
    'link set dev', name, 'alias', renderAlias(plan),
    // Set when the bridge is there: one that it is made with changes to that of the first guest.
    ...(mtu === undefined || mtu === 0 ? [] : ['mtu', safeNumber(mtu, 1, 0xffffffff)]),
  ]);
}

/** The `ip -batch` lines that give a bridge its addresses, set it up and add its routes. */
export function renderAddresses(plan: NetworkPlan): string {
  const name = safeInterface(plan.bridge);
  const addresses = plan.definition.ips.map((ip) => ['addr add', renderAddress(ip, name)]);
  const routes = plan.definition.routes.map((route) => ['route add', renderRoute(route, name)]);
  return lines(...addresses, ['link set dev', name, 'up'], ...routes);
}

/** An address of a bridge, as `ip addr` takes it. */
export function renderAddress(ip: Ip, bridge: string): string {
  const subnet = subnetOfIp(ip);
  const address = `${safeAddress(ip.address)}/${subnet.prefix}`;
  // Nobody else can have the address yet, and dnsmasq cannot use it while the kernel looks for others.
  if (familyOfIp(ip) === 'ipv6') return `${address} dev ${bridge} nodad`;
  const broadcast = subnet.prefix < 31 ? ` broadcast ${numberToAddress(lastAddress(subnet), 'ipv4')}` : '';
  return `${address}${broadcast} dev ${bridge}`;
}

/** A route through a bridge, as `ip route` takes it. */
export function renderRoute(route: Route, bridge: string): string {
  const metric = safeNumber(route.metric ?? 1, 1, 0xffffffff);
  return `${formatSubnet(subnetOfRoute(route))} via ${safeAddress(route.gateway)} dev ${bridge} proto static metric ${metric}`;
}

/**
 * Turns IPv6 off on a bridge that has no IPv6 address. It has done nothing
 * there yet: until a guest is plugged in, the bridge has no carrier.
 */
export async function silenceIpv6(plan: NetworkPlan): Promise<void> {
  if (!hasIpv6(plan)) await setBridgeIpv6(plan.bridge, false);
}

/** Whether a network has an IPv6 address, for which IPv6 has to be on before it is given. */
export function hasIpv6({ definition }: NetworkPlan): boolean {
  return definition.ips.some((ip) => familyOfIp(ip) === 'ipv6');
}

/** Whether the bridge is told where guests are instead of learning it. */
export function tellsBridge({ definition }: NetworkPlan): boolean {
  return definition.bridge?.macTableManager === 'libvirt';
}

/** Which of the networks have a bridge that stands and is marked as theirs, in the order given. */
export async function ownBridges(commands: Commands, plans: readonly NetworkPlan[]): Promise<boolean[]> {
  const names = new Set(await readInterfaces());
  if (!plans.some((plan) => names.has(plan.bridge))) return plans.map(() => false);
  const aliases = new Map((await readBridges(commands)).map(({ ifname, ifalias }) => [ifname, ifalias]));
  return plans.map((plan) => aliases.get(plan.bridge) === renderAlias(plan));
}

/** All bridges, ours and others', each with its mark. */
async function readBridges(commands: Commands): Promise<{ ifname?: string; ifalias?: string }[]> {
  return JSON.parse(await commands.read('ip', ['-json', 'link', 'show', 'type', 'bridge']) || '[]') as { ifname?: string; ifalias?: string }[];
}

/**
 * Checks that the bridge of a network that makes none itself is there.
 *
 * @throws {NetworkError} SYSTEM_ERROR if the host has no bridge of that name
 */
export async function requireHostBridge(commands: Commands, { name, definition }: NetworkPlan): Promise<void> {
  const bridge = safeInterface(definition.bridge?.name ?? '');
  if ((await readBridges(commands)).some(({ ifname }) => ifname === bridge)) return;
  const other = (await readInterfaces()).includes(bridge);
  throw new NetworkError(ErrorCode.SYSTEM_ERROR, `${other ? `'${bridge}' is no bridge` : `there is no bridge '${bridge}' on this host`}, so guests of network '${name}' cannot be plugged into it`, {
    hint: 'in this mode the bridge is the host\'s own: make it first, or name another; see them with: ip link show type bridge',
  });
}

function lines(...commands: string[][]): string {
  return commands.map((words) => `${words.join(' ')}\n`).join('');
}
