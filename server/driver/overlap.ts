/**
 * Lives here: whether a network's subnets are free. Does not know: how routes
 * are read.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { formatSubnet, subnetOf, subnetsOverlap, type Subnet } from '../../shared/address.js';
import { subnetOfIp, type NetworkDefinition } from '../../shared/definition/index.js';
import type { Observation } from './host.js';
import type { NetworkRecord, Register } from './register.js';

/** A subnet that is in use, and by what. */
interface Occupied {
  subnet: Subnet;
  /** For a message: `interface virbr0 of network 'default'`. */
  by: string;
  /** The interface, if it is a route of the host. */
  device?: string;
}

/** The subnet that a text such as 192.168.122.0/24 names. */
export function parseSubnet(text: string): Subnet {
  const [address = '', prefix = ''] = text.split('/');
  return subnetOf(address, Number(prefix));
}

/**
 * Refuses a definition whose subnets share an address with a route of the host
 * or with another network that stands or is coming up, whichever of the two is
 * the larger one. (libvirt compares IPv4 alone, and only for the same prefix.)
 * A network for whose guests the host answers on the LAN lies inside the LAN's
 * subnet: that is what it is for.
 *
 * @throws {NetworkError} INTERNAL_ERROR, as libvirt's, naming the interface
 */
export function refuseOverlap(
  register: Register, record: NetworkRecord, definition: NetworkDefinition, routes: Observation['routes'],
): void {
  const occupied = [...subnetsOfOthers(register, record), ...routes.map(({ subnet, interface: device }) =>
    ({ subnet: parseSubnet(subnet), by: `interface ${device}`, device }))];
  for (const ip of definition.ips) {
    const wanted = subnetOfIp(ip);
    const clash = occupied.find((other) => subnetsOverlap(other.subnet, wanted) && !isLanOf(definition, wanted, other));
    if (clash === undefined) continue;
    throw new NetworkError(ErrorCode.INTERNAL_ERROR,
      `Network is already in use by ${clash.by}: ${formatSubnet(wanted)} of network '${record.name}' overlaps ${formatSubnet(clash.subnet)}`,
      { hint: `give network '${record.name}' another subnet, or free this one first` });
  }
}

/** Whether a route leads to the LAN in whose midst a network's guests are to be. */
function isLanOf({ forward, proxy }: NetworkDefinition, wanted: Subnet, { subnet, device }: Occupied): boolean {
  const answers = wanted.family === 'ipv4' ? proxy?.arp : proxy?.ndp;
  return answers === true && device !== undefined && device === forward?.dev && subnet.prefix < wanted.prefix;
}

/** The subnets of the other networks that stand or are coming up. */
function* subnetsOfOthers(register: Register, record: NetworkRecord): Generator<Occupied> {
  for (const other of register.all()) {
    const definition = other.live ?? other.rising;
    if (other === record || definition === undefined) continue;
    for (const ip of definition.ips) {
      yield { subnet: subnetOfIp(ip), by: `interface ${definition.bridge?.name} of network '${other.name}'` };
    }
  }
}
