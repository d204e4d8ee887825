/**
 * Lives here: changing a bridge that stands: its settings, addresses and
 * routes. Every step leads to what should be from whatever a step that was cut
 * off has left. Does not know: firewall, DHCP.
 */
import { prefixOfIp } from '../../../shared/definition/index.js';
import type { NetworkPlan } from '../../driver/host.js';
import type { Commands } from '../command.js';
import { renderAddress, renderRoute } from '../link.js';
import { safeAddress, safeInterface, safeNumber } from '../safe-text.js';
import { setBridgeIpv6 } from '../sysctl.js';
import { hasIpv6, type Difference } from './difference.js';

/** Changes a bridge's own settings. */
export async function changeLink(commands: Commands, plan: NetworkPlan, { link }: Difference): Promise<void> {
  const bridge = safeInterface(plan.bridge);
  const { stp, delay, mtu } = link;
  const settings = [
    ...(stp === undefined ? [] : [`stp_state ${stp ? '1' : '0'}`]),
    // In hundredths of a second.
    ...(delay === undefined ? [] : [`forward_delay ${safeNumber(delay * 100, 0, 0xffffffff)}`]),
  ];
  await runIp(commands, [
    ...(settings.length === 0 ? [] : [`link set dev ${bridge} type bridge ${settings.join(' ')}`]),
    ...(mtu === undefined ? [] : [`link set dev ${bridge} mtu ${safeNumber(mtu, 1, 0xffffffff)}`]),
  ]);
}

/** Brings a bridge's addresses and routes from one plan to another: what came first, then what went. */
export async function changeAddresses(commands: Commands, after: NetworkPlan, { addresses, routes, ipv6 }: Difference): Promise<void> {
  const bridge = safeInterface(after.bridge);
  if ([addresses.gone, addresses.come, routes.gone, routes.come].every((list) => list.length === 0)) return;
  // IPv6 has to be on before there can be an address.
  if (ipv6 === true) await setBridgeIpv6(bridge, true);
  const [standing, reached] = await Promise.all([readAddresses(commands, bridge), readRoutes(commands, bridge)]);
  const gone = addresses.gone.map((ip) => `${safeAddress(ip.address)}/${prefixOfIp(ip)}`).filter((address) => standing.has(address));
  await runIp(commands, [
    ...routes.gone.map((route) => renderRoute(route, bridge)).filter((route) => reached.has(targetOf(route))).map((route) => `route del ${route}`),
    ...gone.map((address) => `addr del ${address} dev ${bridge}`),
    // The kernel takes an address that is on the same subnet away with the one that came before it.
    ...(gone.length > 0 ? after.definition.ips : addresses.come).map((ip) => `addr replace ${renderAddress(ip, bridge)}`),
    ...(gone.length > 0 ? after.definition.routes : routes.come).map((route) => `route replace ${renderRoute(route, bridge)}`),
  ]);
  if (ipv6 === false && !hasIpv6(after)) await setBridgeIpv6(bridge, false);
}

async function runIp(commands: Commands, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await commands.run('ip', ['-batch', '-'], { input: lines.map((line) => `${line}\n`).join('') });
}

async function readAddresses(commands: Commands, bridge: string): Promise<Set<string>> {
  const shown = JSON.parse(await commands.read('ip', ['-json', 'addr', 'show', 'dev', bridge]) || '[]') as
    { addr_info?: { local?: string; prefixlen?: number }[] }[];
  return new Set(shown.flatMap(({ addr_info: list = [] }) => list.map(({ local, prefixlen }) => `${local}/${prefixlen}`)));
}

/** The targets of a bridge's static routes. */
async function readRoutes(commands: Commands, bridge: string): Promise<Set<string>> {
  const lists = await Promise.all(['-4', '-6'].map((family) => commands.read('ip', [family, 'route', 'show', 'dev', bridge, 'proto', 'static'])));
  return new Set(lists.join('\n').split('\n').map(targetOf));
}

/** A route's first word; of a single host `ip` prints no prefix. */
function targetOf(route: string): string {
  return route.split(' ')[0]!.replace(/\/(32|128)$/, '');
}
