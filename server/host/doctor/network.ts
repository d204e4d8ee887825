/**
 * Lives here: the doctor's checks of what keeps a network's packets from where
 * they should go. Does not know: how anything is read.
 */
import { formatSubnet, subnetOf, subnetsOverlap } from '../../../shared/address.js';
import { familyOfIp, isManaged, networkMode, subnetOfIp } from '../../../shared/definition/index.js';
import type { NetworkPlan } from '../../driver/host.js';
import { stopOf } from '../foreign/chains.js';
import { describeStop, ownerOf } from '../foreign/owner.js';
import type { Packet } from '../foreign/packet.js';
import { stoppagesOf, uplinksOf } from '../foreign/stops.js';
import { forwardedFamilies } from '../forwarding.js';
import { ofEach, type Check, type Found, type Reading } from './check.js';

/** What keeps packets from where they should go. */
export const networkChecks: readonly Check[] = [
  { name: 'standing', good: 'what should stand of the networks stands', find: (reading) => ofEach(reading, standingFindings) },
  { name: 'forwarding', good: 'the host forwards what the networks need', find: findForwarding },
  { name: 'foreign-drop', good: 'no other program\'s rules stop what guests send and get', find: (reading) => findStops(reading, 'forward') },
  { name: 'foreign-input', good: 'no other program\'s rules keep guests from DHCP and DNS', find: (reading) => findStops(reading, 'input') },
  { name: 'bridge-netfilter', good: 'packets between guests of one network meet no other program\'s rules', find: findBridgeNetfilter },
  { name: 'overlap', good: 'no route of the host leads elsewhere with a network\'s addresses', find: findOverlaps },
  { name: 'uplink', good: 'the host has a way out for the networks that need one', find: findUplinks },
  { name: 'rp-filter', good: 'no answer is dropped for the way it comes', find: findReversePath },
  { name: 'ipv6', good: 'IPv6 is on where the networks need it, and the host keeps its routers', find: findIpv6 },
];

type NetworkFound = Omit<Found, 'network'>;

function standingFindings({ name, bridge, definition }: NetworkPlan, standing: Reading['standing'][number]): NetworkFound[] {
  if (!isManaged(definition)) return [];
  const gone = [
    ...(standing.bridge ? [] : [`its bridge ${bridge} is gone or is another's`]),
    ...(standing.dnsmasq ? [] : ['its dnsmasq does not run']),
    ...(standing.firewall ? [] : ['its firewall rules are not as they should be']),
  ];
  return gone.length === 0 ? [] : [{ severity: 'error', message: `${gone.join(', ')}`, advice: standing.bridge ? 'systemctl restart vnetd' : `vnet destroy ${name} && vnet start ${name}` }];
}

function findForwarding(reading: Reading): Found[] {
  const { settings } = reading;
  return ofEach(reading, (plan, { bridge: stands }) => (!stands ? [] : forwardedFamilies(plan).flatMap((family) => {
    const off = [`net/${family}/conf/all/forwarding`, `net/${family}/conf/${plan.bridge}/forwarding`].filter((key) => settings[key] === '0');
    if (off.length === 0) return [];
    return [{ severity: 'error', message: `the host does not forward ${spell(family)}, so guests reach nothing outside`, advice: `sysctl -w ${off.map((key) => `${dotted(key)}=1`).join(' ')}` }];
  })));
}

/** One finding for each place where packets of a network end. */
function findStops({ plans, chains, defaultRoutes }: Reading, hook: Packet['hook']): Found[] {
  return plans.filter(({ definition }) => isManaged(definition)).flatMap((plan) =>
    stoppagesOf(plan, chains, uplinksOf(defaultRoutes), hook).map(({ message, advice }): Found => ({ severity: 'error', network: plan.uuid, message, advice })));
}

function findBridgeNetfilter(reading: Reading): Found[] {
  return ofEach(reading, ({ bridge, definition }) => (!isManaged(definition) ? [] : (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const key = `net/bridge/bridge-nf-call-${family === 'ipv4' ? 'iptables' : 'ip6tables'}`;
    if (reading.settings[key] !== '1' || !definition.ips.some((ip) => familyOfIp(ip) === family)) return [];
    const stop = stopOf(reading.chains, { hook: 'forward', family, iif: bridge, oif: bridge, protocol: 'tcp', state: 'new' });
    return stop === undefined ? [] : [{
      severity: 'error', message: `packets between guests of the network are dropped by ${ownerOf(stop, reading.chains).name}: ${describeStop(stop)}, and br_netfilter sends bridged packets there`,
      advice: `sysctl -w ${dotted(key)}=0`,
    }];
  })));
}

function findOverlaps(reading: Reading): Found[] {
  return ofEach(reading, (plan, { bridge: stands }) => plan.definition.ips.flatMap((ip) => {
    const own = subnetOfIp(ip);
    return reading.routes.flatMap(({ subnet, interface: device }) => {
      const [address = '', prefix = ''] = subnet.split('/');
      const other = subnetOf(address, Number(prefix));
      if (device === plan.bridge || !subnetsOverlap(own, other)) return [];
      const wider = other.prefix < own.prefix;
      const harm = !stands ? 'the network cannot be started' : wider ? `what is in both is looked for on ${plan.bridge}` : `the host looks for guests on ${device}`;
      return [{
        severity: stands && wider ? 'warning' : 'error', message: `the route to ${subnet} through ${device} overlaps ${formatSubnet(own)} of the network: ${harm}`,
        advice: `give the network another subnet (vnet edit ${plan.name}), or take the route away: ip ${ip.family === 'ipv6' ? '-6 ' : ''}route delete ${subnet} dev ${device}`,
      }];
    });
  }));
}

function findUplinks(reading: Reading): Found[] {
  return ofEach(reading, ({ definition }) => {
    if (!isManaged(definition)) return [];
    const { dev } = definition.forward ?? {};
    if (dev !== undefined) {
      return reading.interfaces.includes(dev) ? [] : [{ severity: 'error', message: `it forwards through ${dev} alone, and the host has no such interface`, advice: 'see the interfaces: ip link' }];
    }
    const mode = networkMode(definition);
    return mode !== 'nat' || reading.defaultRoutes.length > 0 ? [] : [{ severity: 'warning', message: 'the host has no default route, so guests reach nothing beyond its own networks', advice: 'see the routes: ip route' }];
  });
}

/** A network that leaves by an interface that is not the host's way out gets answers that strict filtering takes for forged. */
function findReversePath(reading: Reading): Found[] {
  const { settings, defaultRoutes } = reading;
  return ofEach(reading, ({ definition }) => {
    const dev = isManaged(definition) ? definition.forward?.dev : undefined;
    if (dev === undefined || !forwards(definition, 'ipv4') || defaultRoutes.some((route) => route.family === 'ipv4' && route.interface === dev)) return [];
    // The kernel takes the stricter of the two, and 2 is looser than 1 but greater.
    const values = ['all', dev].map((name) => Number(settings[`net/ipv4/conf/${name}/rp_filter`] ?? 0));
    if (Math.max(...values) !== 1) return [];
    return [{
      severity: 'warning', message: `answers that come by ${dev} from beyond its own subnet are dropped: the host's way there is another, and rp_filter is strict`,
      advice: `sysctl -w net.ipv4.conf.${dev}.rp_filter=2`,
    }];
  });
}

function forwards(definition: NetworkPlan['definition'], family: 'ipv4' | 'ipv6'): boolean {
  return networkMode(definition) !== 'none' && definition.ips.some((ip) => familyOfIp(ip) === family);
}

function findIpv6(reading: Reading): Found[] {
  const { settings, defaultRoutes, interfaces } = reading;
  const wanting = ofEach(reading, ({ bridge, definition }, { bridge: stands }) => {
    if (!isManaged(definition) || !definition.ips.some((ip) => familyOfIp(ip) === 'ipv6')) return [];
    if (!reading.ipv6) return [{ severity: 'error', message: 'it has an IPv6 address, and the kernel has no IPv6', advice: 'take the address out, or boot without ipv6.disable=1' }];
    const off = stands && settings[`net/ipv6/conf/${bridge}/disable_ipv6`] === '1';
    return off ? [{ severity: 'error', message: `IPv6 is off on its bridge ${bridge}`, advice: `sysctl -w net.ipv6.conf.${bridge}.disable_ipv6=0` }] : [];
  });
  if (settings['net/ipv6/conf/all/forwarding'] !== '1') return wanting;
  const uplinks = new Set(defaultRoutes.map((route) => route.interface).filter((name) => interfaces.includes(name)));
  return [...wanting, ...[...uplinks].filter((name) => settings[`net/ipv6/conf/${name}/accept_ra`] === '1' && settings[`net/ipv6/conf/${name}/disable_ipv6`] !== '1').map((name): Found => ({
    severity: 'warning', message: `the host forwards IPv6, so it hears no router on ${name}: routes and addresses that it has from one run out`,
    advice: `sysctl -w net.ipv6.conf.${name}.accept_ra=2, if a router is to be heard there`,
  }))];
}

function spell(family: 'ipv4' | 'ipv6'): string {
  return family === 'ipv4' ? 'IPv4' : 'IPv6';
}

/** A key as sysctl writes it: a dot in an interface's name is a slash. */
function dotted(key: string): string {
  return key.replace(/[./]/g, (character) => (character === '.' ? '/' : '.'));
}
