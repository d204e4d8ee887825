/**
 * Lives here: a network's bridge: making it, its addresses and routes,
 * knowing it for ours, removing it; and the bridge of the host that a network
 * uses as it is. Does not know: firewall, DHCP.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { formatSubnet, lastAddress, numberToAddress } from '../../shared/address.js';
import { familyOfIp, subnetOfIp, subnetOfRoute } from '../../shared/definition/index.js';
import type { NetworkPlan } from '../driver/host.js';
import { CommandError, type Commands } from './command.js';
import { readInterfaces } from './proc.js';
import { safeAddress, safeInterface, safeNumber, uuidDigits } from './safe-text.js';
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
  ], [
    'link set dev', name, 'alias', renderAlias(plan),
    // Set when the bridge is there: one that it is made with changes to that of the first guest.
    ...(mtu === undefined || mtu === 0 ? [] : ['mtu', safeNumber(mtu, 1, 0xffffffff)]),
  ]);
}

/** The `ip -batch` lines that give a bridge its addresses, set it up and add its routes. */
export function renderAddresses(plan: NetworkPlan): string {
  const name = safeInterface(plan.bridge);
  const addresses = plan.definition.ips.map((ip) => {
    const subnet = subnetOfIp(ip);
    const address = `${safeAddress(ip.address)}/${subnet.prefix}`;
    // Nobody else can have the address yet, and dnsmasq cannot use it while the kernel looks for others.
    if (familyOfIp(ip) === 'ipv6') return ['addr add', address, 'dev', name, 'nodad'];
    const broadcast = subnet.prefix < 31 ? ['broadcast', numberToAddress(lastAddress(subnet), 'ipv4')] : [];
    return ['addr add', address, ...broadcast, 'dev', name];
  });
  const routes = plan.definition.routes.map((route) => [
    'route add', formatSubnet(subnetOfRoute(route)), 'via', safeAddress(route.gateway), 'dev', name,
    'proto static metric', safeNumber(route.metric ?? 1, 1, 0xffffffff),
  ]);
  return lines(...addresses, ['link set dev', name, 'up'], ...routes);
}

/**
 * Refuses a bridge name that is taken, before rules are made for it that would
 * hold for somebody else's interface.
 *
 * @throws {NetworkError} SYSTEM_ERROR as {@link raiseBridge}
 */
export async function refuseTakenName(plan: NetworkPlan): Promise<void> {
  if ((await readInterfaces()).includes(plan.bridge)) throw refusedBridge(plan, 'File exists');
}

/**
 * Makes a network's bridge and sets it up with its addresses and routes. If
 * this fails after the bridge is made, the bridge is marked as ours.
 *
 * @param guarded the bridge is not set up, and so carries nothing, until this is done
 * @throws {NetworkError} SYSTEM_ERROR with the kernel's words, such as `File
 * exists`: the bridge that is there already is not touched; INTERNAL_ERROR for
 * addresses and routes
 */
export async function raiseBridge(commands: Commands, plan: NetworkPlan, guarded: Promise<unknown>): Promise<void> {
  if (!hasIpv6(plan)) {
    await guarded;
    return batch(commands, plan, renderBridge(plan) + renderAddresses(plan));
  }
  // IPv6 has to be on before there can be an address.
  await batch(commands, plan, renderBridge(plan));
  await setBridgeIpv6(plan.bridge, true);
  await guarded;
  await commands.run('ip', ['-batch', '-'], { input: renderAddresses(plan) });
}

/**
 * Turns IPv6 off on a bridge that has no IPv6 address. It has done nothing
 * there yet: until a guest is plugged in, the bridge has no carrier.
 */
export async function silenceIpv6(plan: NetworkPlan): Promise<void> {
  if (!hasIpv6(plan)) await setBridgeIpv6(plan.bridge, false);
}

function hasIpv6({ definition }: NetworkPlan): boolean {
  return definition.ips.some((ip) => familyOfIp(ip) === 'ipv6');
}

/** Runs `ip -batch` lines that begin with {@link renderBridge}'s two. */
async function batch(commands: Commands, plan: NetworkPlan, input: string): Promise<void> {
  try {
    await commands.run('ip', ['-batch', '-'], { input });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const line = Number(/Command failed -:(\d+)/.exec(error.words)?.[1]);
    // Made, but not marked: nobody but this call knows that it is ours.
    if (line === 2) await commands.run('ip', ['link', 'delete', 'dev', plan.bridge, 'type', 'bridge']);
    throw line <= 2 ? refusedBridge(plan, error.words, error) : error;
  }
}

function refusedBridge(plan: NetworkPlan, said: string, cause?: CommandError): NetworkError {
  const words = said.replace(/\s*Command failed -:\d+\s*/, '').replace(/^RTNETLINK answers: /, '');
  return new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot create bridge '${plan.bridge}' of network '${plan.name}': ${words}`, {
    cause,
    hint: words.includes('File exists') ? `an interface of that name is there already; look at it with: ip -d link show ${plan.bridge}` : undefined,
  });
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

/** Removes a network's bridge if it is there and ours. */
export async function removeBridge(commands: Commands, plan: NetworkPlan): Promise<void> {
  const [own] = await ownBridges(commands, [plan]);
  if (own !== true) return;
  try {
    await commands.run('ip', ['link', 'delete', 'dev', safeInterface(plan.bridge), 'type', 'bridge']);
  } catch (error) {
    if ((await readInterfaces()).includes(plan.bridge)) throw error;
  }
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

function safeMac(mac: string): string {
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) return mac;
  throw new NetworkError(ErrorCode.INTERNAL_ERROR, `'${mac}' is no MAC address`);
}

function lines(...commands: string[][]): string {
  return commands.map((words) => `${words.join(' ')}\n`).join('');
}
