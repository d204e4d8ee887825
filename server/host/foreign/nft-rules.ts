/**
 * Lives here: rules as `nft --json` prints them, read into chains that can be
 * asked. A rule with a match that is not known here counts as one that does not
 * match. Does not know: nft, whose rules they are.
 */
import { addressToNumber, canonicalAddress, subnetContains, subnetOf, type Family } from '../../../shared/address.js';
import type { ForeignChain, ForeignRule, Verdict } from './chains.js';
import type { Packet } from './packet.js';

type Json = Record<string, unknown>;

/** Whether a packet fits; undefined if that cannot be told. */
type Fit = boolean | undefined;

const families: Record<string, readonly Family[]> = { ip: ['ipv4'], ip6: ['ipv6'], inet: ['ipv4', 'ipv6'] };

/** What iptables names its tables; nft shows those of today's iptables as its own. */
const xtables = /^(filter|nat|mangle|raw|security)$/;

/** Reads `nft --json list table`. Tables of bridges and devices are left out. */
export function parseNftChains(json: string): ForeignChain[] {
  const chains: ForeignChain[] = [];
  for (const { chain, rule } of (JSON.parse(json) as { nftables: { chain?: Json; rule?: Json }[] }).nftables) {
    if (chain !== undefined && families[String(chain['family'])] !== undefined) chains.push(parseChain(chain));
    const owner = rule === undefined ? undefined : chains.find(({ table, name }) => table === `${rule['family']} ${rule['table']}` && name === rule['chain']);
    if (rule !== undefined) owner?.rules.push(parseRule(rule));
  }
  return chains;
}

function parseChain({ family, table, name, hook, policy }: Json): ForeignChain {
  const byIptables = family !== 'inet' && xtables.test(String(table)) && (hook === undefined || /^[A-Z]+$/.test(String(name)));
  return {
    tool: !byIptables ? 'nft' : family === 'ip' ? 'iptables' : 'ip6tables',
    table: `${family} ${table}`, families: families[String(family)]!, name: String(name), rules: [],
    ...(hook === undefined ? {} : { hook: String(hook), policy: policy === 'drop' ? 'drop' : 'accept' }),
  };
}

function parseRule({ handle, expr }: Json): ForeignRule {
  const statements = expr as Json[];
  const matches = statements.filter((each) => 'match' in each).map((each) => each['match'] as Json);
  const verdicts = statements.flatMap((each) => verdictOf(each) ?? []);
  const maps = statements.filter((each) => 'vmap' in each).map((each) => each['vmap'] as Json);
  const strange = statements.some(isStrange);
  return {
    text: `handle ${handle}`,
    decide(packet) {
      if (strange || !matches.every((match) => fits(match, packet) === true)) return undefined;
      return verdicts[0] ?? maps.map((map) => lookUp(map, packet)).find((verdict) => verdict !== undefined);
    },
    translates: statements.some((each) => 'masquerade' in each || 'snat' in each || 'dnat' in each || (xt(each, 'target') && /^(MASQUERADE|[SD]NAT)$/.test(xtName(each)))),
    admits: verdicts[0]?.kind === 'accept' && matches.some(namesInterface),
    targets: [...verdicts, ...maps.flatMap(elementsOf).flatMap(([, verdict]) => verdictOf(verdict) ?? [])].flatMap((verdict) => ('target' in verdict ? [verdict.target] : [])),
  };
}

function verdictOf(statement: Json): Verdict | undefined {
  for (const kind of ['accept', 'drop', 'reject', 'return'] as const) if (kind in statement) return { kind };
  for (const kind of ['jump', 'goto'] as const) if (kind in statement) return { kind, target: String((statement[kind] as Json)['target']) };
  return xt(statement, 'target') && xtName(statement) === 'REJECT' ? { kind: 'reject' } : undefined;
}

function xt(statement: Json, type: 'match' | 'target'): boolean {
  return (statement['xt'] as Json | undefined)?.['type'] === type;
}

function xtName(statement: Json): string {
  return String((statement['xt'] as Json | null)?.['name']);
}

/** Whether a statement decides in a way that is not known here. */
function isStrange(statement: Json): boolean {
  return ('xt' in statement && !xt(statement, 'target') && xtName(statement) !== 'comment') || 'limit' in statement || 'quota' in statement;
}

function namesInterface({ left, right }: Json): boolean {
  return /^[io]if(name)?$/.test(String(((left as Json)?.['meta'] as Json | undefined)?.['key'])) && right !== 'lo';
}

function elementsOf({ data }: Json): [unknown, Json][] {
  const set = (data as Json | undefined)?.['set'];
  return Array.isArray(set) ? set as [unknown, Json][] : [];
}

function lookUp(map: Json, packet: Packet): Verdict | undefined {
  const value = valueOf(map['key'] as Json, packet);
  if (value === undefined || value === false) return undefined;
  const found = elementsOf(map).find(([key]) => equals(value, key) === true);
  return found === undefined ? undefined : verdictOf(found[1]);
}

function fits({ op, left, right }: Json, packet: Packet): Fit {
  const value = valueOf(left as Json, packet);
  if (value === undefined || value === false) return value;
  const same = equals(value, right);
  if (op === '==' || op === 'in') return same;
  return op === '!=' && same !== undefined ? !same : undefined;
}

/** What a packet has there; false if it has no such thing, undefined if it is not known. */
function valueOf(left: Json | undefined, packet: Packet): string | number | false | undefined {
  const { family, iif, oif, protocol, state } = packet;
  const { meta, ct, payload } = (left ?? {}) as Record<string, Json | undefined>;
  switch (meta?.['key']) {
    case 'iifname': case 'iif': return iif;
    case 'oifname': case 'oif': return oif;
    case 'nfproto': return family;
    case 'protocol': return family === 'ipv4' ? 'ip' : 'ip6';
    case 'l4proto': return protocol;
  }
  if (ct?.['key'] === 'state') return state;
  return payload === undefined ? undefined : headerOf(payload, packet);
}

function headerOf({ protocol, field }: Json, packet: Packet): string | number | false | undefined {
  if (protocol === 'ip' || protocol === 'ip6') {
    if ((protocol === 'ip') !== (packet.family === 'ipv4')) return false;
    return field === 'protocol' || field === 'nexthdr' ? packet.protocol : ({ saddr: packet.saddr, daddr: packet.daddr })[String(field)];
  }
  if (protocol === 'icmp' || protocol === 'icmpv6' || ((protocol === 'tcp' || protocol === 'udp') && protocol !== packet.protocol)) return false;
  return field === 'dport' ? packet.dport : undefined;
}

function equals(value: string | number, right: unknown): Fit {
  if (Array.isArray(right)) return any(right.map((each) => equals(value, each)));
  if (typeof right === 'object' && right !== null) return equalsObject(value, right as Json);
  if (typeof right !== 'string') return value === right;
  if (right.startsWith('@')) return undefined;
  if (right.endsWith('*')) return String(value).startsWith(right.slice(0, -1));
  return String(value) === right;
}

function equalsObject(value: string | number, { set, prefix, range }: Json): Fit {
  if (Array.isArray(set)) return any(set.map((each) => equals(value, each)));
  const { addr, len } = (prefix ?? {}) as { addr?: string; len?: number };
  if (addr !== undefined && canonicalAddress(addr) !== undefined && canonicalAddress(String(value)) !== undefined) {
    return addr.includes(':') === String(value).includes(':') && subnetContains(subnetOf(addr, len ?? 0), String(value));
  }
  const [low, high] = (Array.isArray(range) ? range : []).map(ordinal);
  const number = ordinal(value);
  return low === undefined || high === undefined || number === undefined ? undefined : low <= number && number <= high;
}

/** A port or an address as a number. */
function ordinal(value: unknown): bigint | undefined {
  if (typeof value === 'number') return BigInt(value);
  return typeof value === 'string' && canonicalAddress(value) !== undefined ? addressToNumber(value) : undefined;
}

function any(found: Fit[]): Fit {
  return found.includes(true) || (found.includes(undefined) ? undefined : false);
}
