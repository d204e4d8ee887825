/**
 * Lives here: what a network permits, as plain data, the same for every
 * firewall. Does not know: how a firewall says it.
 *
 * A forwarded packet needs two permits: the network it comes from lets it out,
 * the network it goes to lets it in. What no network is concerned with passes.
 */
import { formatSubnet } from '../../../shared/address.js';
import { familyOfIp, networkMode, subnetOfIp, type Ip, type Nat } from '../../../shared/definition/index.js';
import type { NetworkPlan } from '../../driver/host.js';

/** What a network permits. Guests of one network always reach each other. */
export interface Policy {
  /** Whose packets may leave; all others are rejected. */
  leave: Passage[];
  /** Whose packets may enter; all others are rejected. */
  enter: Passage[];
  /** Whose source addresses are translated on the way out. */
  translate: Translation[];
}

/** Packets of one subnet that pass. */
export interface Passage {
  family: 'ipv4' | 'ipv6';
  /** Their source if they leave, their destination if they enter: 192.168.122.0/24. */
  subnet: string;
  /** They pass through this interface alone. */
  device?: string;
  /** Only those that belong to what a guest began. */
  answersOnly?: boolean;
}

/** Source NAT of packets that leave a subnet for another; multicast and broadcast never. */
export interface Translation {
  family: 'ipv4' | 'ipv6';
  subnet: string;
  device?: string;
  /** IPv4: the addresses to choose from; the outgoing interface's own if absent. */
  addresses?: NonNullable<Nat['address']>;
  /** The source ports of TCP and UDP. Not below 1024 by default: a guest must not look like one of the host's services. */
  ports: NonNullable<Nat['port']>;
}

const defaultPorts = { start: 1024, end: 65535 };

/** What a network permits, or undefined if it is not to be guarded at all. */
export function policyOf({ definition }: NetworkPlan): Policy | undefined {
  const mode = networkMode(definition);
  if (mode === 'open') return undefined;
  if (mode === 'none') return { leave: [], enter: [], translate: [] };
  const { dev, nat } = definition.forward ?? {};
  const passages = definition.ips.map((ip) => ({ ...passageOf(ip, dev), translated: mode === 'nat' && translates(ip, nat) }));
  return {
    leave: passages.map(({ translated, ...passage }) => passage),
    enter: passages.map(({ translated, ...passage }) => (translated ? { ...passage, answersOnly: true } : passage)),
    translate: passages.filter(({ translated }) => translated).map(({ translated, ...passage }) => ({
      ...passage, ports: nat?.port ?? defaultPorts,
      ...(nat?.address !== undefined && passage.family === 'ipv4' ? { addresses: nat.address } : {}),
    })),
  };
}

function passageOf(ip: Ip, device: string | undefined): Passage {
  return { family: familyOfIp(ip), subnet: formatSubnet(subnetOfIp(ip)), ...(device === undefined ? {} : { device }) };
}

/** IPv6 is routed, and open to the outside, unless the definition asks for its translation. */
function translates(ip: Ip, nat: Nat | undefined): boolean {
  return familyOfIp(ip) === 'ipv4' || nat?.ipv6 === true;
}
