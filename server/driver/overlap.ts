/**
 * Lives here: whether a network's subnets are free. Does not know: how routes
 * are read.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { formatSubnet, lastAddress, subnetOf, type Subnet } from '../../shared/address.js';
import { subnetOfIp, subnetOfRoute, type NetworkDefinition } from '../../shared/definition/index.js';
import type { Observation } from './host.js';
import type { NetworkRecord, Register } from './register.js';

/** A subnet, and its last address: to work that out for each of many comparisons takes longer than they do. */
type Span = Subnet & { last: bigint };

/** A subnet that is in use, and by what. */
interface Occupied {
  subnet: Span;
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
 * A static route may lead to a subnet with others inside it: what is narrower
 * wins. One that is as narrow or narrower would lead their traffic to a guest,
 * and a default route everybody's.
 *
 * @throws {NetworkError} INTERNAL_ERROR, as libvirt's, naming the interface
 */
export function refuseOverlap(
  register: Register, record: NetworkRecord, definition: NetworkDefinition, routes: Observation['routes'],
): void {
  for (const wanted of spansOf(definition)) {
    const isOther = (each: Occupied) => !isLanOf(definition, wanted, each);
    const clash = findClash(wanted, subnetsOfOthers(register, record)) ?? findClash(wanted, subnetsOfRoutes(routes), isOther);
    if (clash === undefined) continue;
    throw new NetworkError(ErrorCode.INTERNAL_ERROR,
      `Network is already in use by ${clash.by}: ${formatSubnet(wanted)} of network '${record.name}' overlaps ${formatSubnet(clash.subnet)}`,
      { hint: `give network '${record.name}' another subnet, or free this one first` });
  }
  refuseTakenRoutes(register, record, definition, routes);
}

function refuseTakenRoutes(register: Register, record: NetworkRecord, { routes: wanted }: NetworkDefinition, routes: Observation['routes']): void {
  for (const route of wanted) {
    const target = spanOf(subnetOfRoute(route));
    const isTaken = ({ subnet }: Occupied) => subnet.prefix <= target.prefix;
    const clash = findClash(target, subnetsOfOthers(register, record), isTaken) ?? findClash(target, subnetsOfRoutes(routes), isTaken);
    if (clash === undefined && target.prefix > 0) continue;
    throw new NetworkError(ErrorCode.INTERNAL_ERROR,
      `Route address '${formatSubnet(target)}' of network '${record.name}' conflicts with ${clash === undefined ? 'the default route of the host' : `${clash.by}, which has ${formatSubnet(clash.subnet)}`}`,
      { hint: 'a network cannot lead to its guests what goes elsewhere: give the route a subnet that only guests have' });
  }
}

function findClash(wanted: Span, occupied: Iterable<Occupied>, counts: (each: Occupied) => boolean = () => true): Occupied | undefined {
  for (const each of occupied) {
    const { family, network, last } = each.subnet;
    if (family === wanted.family && network <= wanted.last && wanted.network <= last && counts(each)) return each;
  }
  return undefined;
}

/** Whether a route leads to the LAN in whose midst a network's guests are to be. */
function isLanOf({ forward, proxy }: NetworkDefinition, wanted: Subnet, { subnet, device }: Occupied): boolean {
  const answers = wanted.family === 'ipv4' ? proxy?.arp : proxy?.ndp;
  return answers === true && device !== undefined && device === forward?.dev && subnet.prefix < wanted.prefix;
}

/** The subnets of the other networks that stand or are coming up. */
function* subnetsOfOthers(register: Register, record: NetworkRecord): Generator<Occupied> {
  for (const other of register.all()) {
    if (other === record) continue;
    // One that is being changed has what it had and what it will have.
    for (const definition of [other.live, other.rising]) {
      if (definition === undefined) continue;
      for (const subnet of spansOf(definition)) yield { subnet, by: `interface ${definition.bridge?.name} of network '${other.name}'` };
    }
  }
}

/** Worked out once for a definition: with many networks, each of them is compared with all others. */
const spans = new WeakMap<NetworkDefinition['ips'], Span[]>();

function spansOf({ ips }: NetworkDefinition): Span[] {
  const known = spans.get(ips) ?? ips.map((ip) => spanOf(subnetOfIp(ip)));
  spans.set(ips, known);
  return known;
}

/** Worked out once for what the host told, which may be one answer for many networks. */
const occupiedByRoutes = new WeakMap<Observation['routes'], Occupied[]>();

function subnetsOfRoutes(routes: Observation['routes']): Occupied[] {
  const known = occupiedByRoutes.get(routes)
    ?? routes.map(({ subnet, interface: device }) => ({ subnet: spanOf(parseSubnet(subnet)), by: `interface ${device}`, device }));
  occupiedByRoutes.set(routes, known);
  return known;
}

function spanOf(subnet: Subnet): Span {
  return { ...subnet, last: lastAddress(subnet) };
}
