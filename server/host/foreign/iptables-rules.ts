/**
 * Lives here: rules as the older iptables saves them, read into chains that can
 * be asked. A rule with a match that is not known here counts as one that does
 * not match. Does not know: iptables, whose rules they are.
 */
import { canonicalAddress, subnetContains, subnetOf, type Family } from '../../../shared/address.js';
import type { ForeignChain, ForeignRule, Verdict } from './chains.js';
import type { Packet } from './packet.js';

/** The hooks' chains. */
const hooks: Record<string, string> = { INPUT: 'input', FORWARD: 'forward', OUTPUT: 'output', PREROUTING: 'prerouting', POSTROUTING: 'postrouting' };

/** Whether a packet has what an option asks for; undefined if that cannot be told. */
type Match = (packet: Packet) => boolean | undefined;

/** What each option that is known asks of a packet. */
const options: Record<string, (value: string) => Match> = {
  '-i': (name) => ({ iif }) => isNamed(iif, name),
  '-o': (name) => ({ oif }) => isNamed(oif, name),
  '-s': (subnet) => ({ saddr }) => liesIn(saddr, subnet),
  '-d': (subnet) => ({ daddr }) => liesIn(daddr, subnet),
  '-p': (protocol) => (packet) => protocol === 'all' || packet.protocol === protocol,
  '--dport': (ports) => ({ dport }) => {
    const [low = '', high = low] = ports.split(':');
    return dport === undefined ? undefined : Number(low) <= dport && dport <= Number(high);
  },
  '--ctstate': (states) => ({ state }) => states.split(',').includes(state.toUpperCase()),
  '--state': (states) => ({ state }) => states.split(',').includes(state.toUpperCase()),
  '--comment': () => () => true,
  // The matches it announces are told by their options.
  '-m': () => () => true,
};

/** Reads what `iptables-legacy-save` or `ip6tables-legacy-save` prints. */
export function parseIptablesChains(text: string, family: Family): ForeignChain[] {
  const chains: ForeignChain[] = [];
  let table = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1).trim();
    const [, name, policy] = /^:(\S+) (\S+)/.exec(line) ?? [];
    if (name !== undefined) {
      const hook = hooks[name];
      chains.push({
        tool: family === 'ipv4' ? 'iptables-legacy' : 'ip6tables-legacy', table, families: [family], name, rules: [],
        ...(hook === undefined ? {} : { hook, policy: policy === 'DROP' ? 'drop' : 'accept' }),
      });
    }
    const [, owner, rule] = /^-A (\S+) ?(.*)$/.exec(line) ?? [];
    if (rule !== undefined) chains.find((each) => each.table === table && each.name === owner)?.rules.push(parseRule(rule));
  }
  return chains;
}

function parseRule(text: string): ForeignRule {
  const words = text.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  const matches: Match[] = [];
  let verdict: Verdict | undefined;
  let target = '';
  let names = false;
  for (let at = 0; at < words.length && target === ''; at += 2) {
    const not = words[at] === '!';
    if (not) at += 1;
    const [option = '', value = ''] = words.slice(at, at + 2);
    if (option === '-j' || option === '-g') {
      target = value;
      verdict = verdictOf(value, option === '-g');
      continue;
    }
    names ||= (option === '-i' || option === '-o') && value !== 'lo';
    matches.push(negated(options[option]?.(value) ?? (() => undefined), not));
  }
  return {
    text,
    decide: (packet) => (matches.every((match) => match(packet) === true) ? verdict : undefined),
    translates: /^(MASQUERADE|SNAT|DNAT)$/.test(target),
    admits: verdict?.kind === 'accept' && names,
    targets: verdict !== undefined && 'target' in verdict ? [verdict.target] : [],
  };
}

function negated(match: Match, not: boolean): Match {
  return !not ? match : (packet) => {
    const found = match(packet);
    return found === undefined ? undefined : !found;
  };
}

function verdictOf(target: string, goes: boolean): Verdict {
  const kind = ({ ACCEPT: 'accept', DROP: 'drop', REJECT: 'reject', RETURN: 'return' } as const)[target];
  // A target that is no chain, such as LOG, leads nowhere and back.
  return kind === undefined ? { kind: goes ? 'goto' : 'jump', target } : { kind };
}

function isNamed(name: string | undefined, wanted: string): boolean | undefined {
  if (name === undefined) return undefined;
  return wanted.endsWith('+') ? name.startsWith(wanted.slice(0, -1)) : name === wanted;
}

function liesIn(address: string | undefined, subnet: string): boolean | undefined {
  const [network = '', prefix] = subnet.split('/');
  if (address === undefined || canonicalAddress(network) === undefined) return undefined;
  return subnetContains(subnetOf(network, prefix === undefined ? (network.includes(':') ? 128 : 32) : Number(prefix)), address);
}
