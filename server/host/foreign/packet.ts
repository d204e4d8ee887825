/**
 * Lives here: packets of guests as a firewall sees them, as far as that can be
 * told before there is one. Does not know: rules.
 */
import { formatSubnet, numberToAddress, type Family } from '../../../shared/address.js';
import { familyOfIp, networkMode, servesDhcp, subnetOfIp } from '../../../shared/definition/index.js';
import type { NetworkPlan } from '../../driver/host.js';

/** A packet. What is not given is not known. */
export interface Packet {
  hook: 'forward' | 'input';
  family: Family;
  /** The interface it came in by. */
  iif?: string;
  /** The interface it goes out by. */
  oif?: string;
  saddr?: string;
  daddr?: string;
  protocol: 'tcp' | 'udp';
  dport?: number;
  state: 'new' | 'established';
}

/** A packet that a network cannot do without. */
export interface NeededPacket {
  packet: Packet;
  /** What it is, for people: `what guests of 192.168.122.0/24 send out`. */
  what: string;
}

/**
 * What the host must forward for a network, and what it must take in itself.
 *
 * @param uplinks the interface of the host's default route, for each family that has one
 */
export function neededPackets(plan: NetworkPlan, uplinks: Partial<Record<Family, string>>): NeededPacket[] {
  return [...forwardedPackets(plan, uplinks), ...servedPackets(plan)];
}

function forwardedPackets({ bridge, definition }: NetworkPlan, uplinks: Partial<Record<Family, string>>): NeededPacket[] {
  const mode = networkMode(definition);
  if (mode === 'none') return [];
  return definition.ips.flatMap((ip) => {
    const family = familyOfIp(ip);
    const subnet = subnetOfIp(ip);
    const guest = numberToAddress(subnet.network + (subnet.prefix < (family === 'ipv4' ? 31 : 127) ? 2n : 0n), family);
    const outside = definition.forward?.dev ?? uplinks[family];
    const common = { hook: 'forward', family, protocol: 'tcp' } as const;
    const out: Packet = { ...common, iif: bridge, ...(outside === undefined ? {} : { oif: outside }), saddr: guest, state: 'new' };
    const translated = mode === 'nat' && (family === 'ipv4' || definition.forward?.nat?.ipv6 === true);
    const back: Packet = { ...common, ...(outside === undefined ? {} : { iif: outside }), oif: bridge, daddr: guest, state: translated ? 'established' : 'new' };
    const text = formatSubnet(subnet);
    return [{ packet: out, what: `what guests of ${text} send` }, { packet: back, what: translated ? `answers to guests of ${text}` : `what is sent to guests of ${text}` }];
  });
}

/** DHCP and DNS: guests ask the host itself. */
function servedPackets({ bridge, definition }: NetworkPlan): NeededPacket[] {
  const asked = (family: Family, dport: number, what: string): NeededPacket =>
    ({ packet: { hook: 'input', family, iif: bridge, protocol: 'udp', dport, state: 'new' }, what: `${what} requests of guests` });
  return definition.ips.flatMap((ip) => {
    const family = familyOfIp(ip);
    return [
      ...(servesDhcp(ip) ? [asked(family, family === 'ipv4' ? 67 : 547, family === 'ipv4' ? 'DHCP' : 'DHCPv6')] : []),
      ...(definition.dns?.enable === false ? [] : [asked(family, 53, 'DNS')]),
    ];
  });
}
