/**
 * Lives here: the text of our rules for iptables and ip6tables:
 *
 *     filter  FORWARD     -> VNET_FORWARD  every forwarded packet
 *             VNET_FORWARD                 -i BRIDGE -> leave chain, -o BRIDGE -> enter chain
 *     nat     POSTROUTING -> VNET_NAT      every new connection
 *             VNET_NAT                     -s SUBNET -> nat chain
 *
 * A network has one chain of each kind; a permitted packet returns. Rules are
 * written as iptables-save prints them. Does not know: programs, what stands
 * already.
 */
import type { NetworkPlan } from '../../driver/host.js';
import { safeAddress, safeInterface, safeNumber, safeSubnet, uuidDigits } from '../safe-text.js';
import { policyOf, type Passage, type Policy, type Translation } from './policy.js';

/** The families, each of which has a program of its own. */
export const families = ['ipv4', 'ipv6'] as const;
export type Family = typeof families[number];

/** Our two places: the chain of a table's own that jumps to ours. NAT comes first: a packet that may leave is never untranslated. */
export const hooks = [
  { table: 'nat', parent: 'POSTROUTING', chain: 'VNET_NAT' },
  { table: 'filter', parent: 'FORWARD', chain: 'VNET_FORWARD' },
] as const;
export type Hook = typeof hooks[number];

/** The kinds of chains that a network has: the table they are in, and the letter in their names. */
const kinds = { leave: ['filter', 'L'], enter: ['filter', 'E'], nat: ['nat', 'N'] } as const;
type Kind = keyof typeof kinds;

/** One chain of a network. */
export interface NetworkChain {
  table: Hook['table'];
  name: string;
  /** What a packet must have to be sent here. */
  matches: string[];
  rules: string[];
}

/** ICMP's and ICMPv6's port unreachable: a guest learns at once that it may not. */
const reject = {
  ipv4: '-j REJECT --reject-with icmp-port-unreachable', ipv6: '-j REJECT --reject-with icmp6-port-unreachable',
} as const;

/** The address of every host on the link, and of every group that stays on it. */
const neverTranslated = { ipv4: ['224.0.0.0/24', '255.255.255.255/32'], ipv6: ['ff02::/16'] } as const;

/**
 * What the names of one network's chains end with, and no other's: its UUID in
 * 22 characters, since a chain's name has at most 28.
 */
export function chainSuffix(uuid: string): string {
  return Buffer.from(uuidDigits(uuid), 'hex').toString('base64url');
}

/** The suffix of a chain's name if it is one of a network's. */
export function suffixOf(name: string): string | undefined {
  return /^VNET_[LEN]([\w-]{22})$/.exec(name)?.[1];
}

/** A network's chains in one family; none if it is not guarded. */
export function chainsOf(plan: NetworkPlan, family: Family): NetworkChain[] {
  const policy = policyOf(plan);
  if (policy === undefined) return [];
  const bridge = safeInterface(plan.bridge);
  const chain = (kind: Kind, matches: string[], rules: string[]): NetworkChain =>
    ({ table: kinds[kind][0], name: `VNET_${kinds[kind][1]}${chainSuffix(plan.uuid)}`, matches, rules });
  const { leave, enter, translate } = ofFamily(policy, family);
  return [
    ...(translate.length === 0 ? [] : [chain('nat', translate.map(({ subnet }) => `-s ${safeSubnet(subnet)}`), [
      `-o ${bridge} -j RETURN`,
      ...neverTranslated[family].map((destination) => `-d ${destination} -j RETURN`),
      ...translate.flatMap(translationRules),
    ])]),
    chain('leave', [`-i ${bridge}`], [`-o ${bridge} -j RETURN`, ...leave.map((passage) => passRule(passage, '-s', '-o')), reject[family]]),
    chain('enter', [`-o ${bridge}`], [`-i ${bridge} -j RETURN`, ...enter.map((passage) => passRule(passage, '-d', '-i')), reject[family]]),
  ];
}

function ofFamily({ leave, enter, translate }: Policy, family: Family): Policy {
  const here = (part: { family: Family }): boolean => part.family === family;
  return { leave: leave.filter(here), enter: enter.filter(here), translate: translate.filter(here) };
}

function passRule({ subnet, device, answersOnly }: Passage, end: '-s' | '-d', side: '-i' | '-o'): string {
  return words(`${end} ${safeSubnet(subnet)}`, through(side, device), answersOnly ? '-m conntrack --ctstate RELATED,ESTABLISHED' : '', '-j RETURN');
}

/** TCP and UDP get a port of the range; what has no ports gets an address alone. */
function translationRules({ subnet, device, addresses, ports }: Translation): string[] {
  const inside = safeSubnet(subnet);
  const match = words(`-s ${inside} ! -d ${inside}`, through('-o', device));
  const range = span(safeNumber(ports.start, 0, 65535), safeNumber(ports.end, 0, 65535));
  const source = addresses === undefined ? undefined : span(safeAddress(addresses.start), safeAddress(addresses.end));
  const [ported, plain] = source === undefined
    ? [`-j MASQUERADE --to-ports ${range}`, '-j MASQUERADE']
    : [`-j SNAT --to-source ${source}:${range}`, `-j SNAT --to-source ${source}`];
  return [`${match} -p tcp ${ported}`, `${match} -p udp ${ported}`, `${match} ${plain}`];
}

function through(side: '-i' | '-o', device: string | undefined): string {
  return device === undefined ? '' : `${side} ${safeInterface(device)}`;
}

function span(start: string, end: string): string {
  return start === end ? start : `${start}-${end}`;
}

function words(...parts: string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}
