/**
 * Lives here: other programs' firewall rules as data that can be asked, and
 * what becomes of a packet that meets them. Does not know: how rules are
 * written, or whose they are.
 */
import type { Family } from '../../../shared/address.js';
import type { Packet } from './packet.js';

/** What a rule does with a packet that it matches. */
export type Verdict = { kind: 'accept' | 'drop' | 'reject' | 'return' } | { kind: 'jump' | 'goto'; target: string };

/** One rule. */
export interface ForeignRule {
  /** For people, as far as it can be said: `handle 5`, or iptables' own words. */
  text: string;
  /** What it does with a packet; undefined if it does not match, or if that cannot be told. */
  decide(packet: Packet): Verdict | undefined;
  /** It translates addresses. */
  translates: boolean;
  /** It lets packets of certain interfaces pass. */
  admits: boolean;
  /** The chains it may send packets to. */
  targets: string[];
}

/** One chain. */
export interface ForeignChain {
  /** Which program's rules these are, and with which it lists them. */
  tool: 'nft' | 'iptables' | 'ip6tables' | 'iptables-legacy' | 'ip6tables-legacy';
  /** With its family: `inet firewalld`; `filter` of the older iptables. */
  table: string;
  families: readonly Family[];
  name: string;
  /** Of a chain that the kernel sends packets to. */
  hook?: string;
  policy?: 'accept' | 'drop';
  rules: ForeignRule[];
}

/** Where a packet ends. */
export interface Stop {
  /** The chain the kernel sent it to. */
  base: ForeignChain;
  /** The chain whose rule or policy ended it. */
  chain: ForeignChain;
  /** The rule; absent if it was the policy. */
  rule?: ForeignRule;
}

/** How deep chains may jump, as the kernel has it. */
const deepest = 16;

/** Where a packet ends, if it does not pass. Each base chain is asked: one that accepts does not speak for the others. */
export function stopOf(chains: readonly ForeignChain[], packet: Packet): Stop | undefined {
  for (const base of chains) {
    if (base.hook !== packet.hook || !base.families.includes(packet.family)) continue;
    const named = new Map(chains.filter((each) => each.tool === base.tool && each.table === base.table).map((each) => [each.name, each]));
    const end = follow(base, packet, named, 0);
    if (end === 'passed') continue;
    if (end !== undefined) return { base, ...end };
    if (base.policy === 'drop') return { base, chain: base };
  }
  return undefined;
}

type End = 'passed' | { chain: ForeignChain; rule: ForeignRule } | undefined;

/** Follows a packet through a chain; undefined if it comes out at the end. */
function follow(chain: ForeignChain, packet: Packet, named: Map<string, ForeignChain>, depth: number): End {
  for (const rule of depth > deepest ? [] : chain.rules) {
    const verdict = rule.decide(packet);
    if (verdict === undefined) continue;
    if (verdict.kind === 'accept') return 'passed';
    if (verdict.kind === 'return') return undefined;
    if (!('target' in verdict)) return { chain, rule };
    const target = named.get(verdict.target);
    const end = target === undefined ? undefined : follow(target, packet, named, depth + 1);
    if (end !== undefined || verdict.kind === 'goto') return end;
  }
  return undefined;
}

/** Whether another program's rules make sense only on a host that forwards this family. */
export function reliesOnForwarding(chains: readonly ForeignChain[], family: Family): boolean {
  // What is ours there is for networks that are gone.
  return chains.some((chain) => chain.families.includes(family) && !chain.name.startsWith('VNET-') && chain.rules.some((rule) => rule.translates || (rule.admits && isForwarding(chain, chains))));
}

/** Whether forwarded packets come to a chain: it is one of the hook, or one of those that the hook's chains jump to. */
function isForwarding(chain: ForeignChain, chains: readonly ForeignChain[], depth = 0): boolean {
  if (chain.hook !== undefined || depth > deepest) return chain.hook === 'forward';
  const callers = chains.filter((each) => each.tool === chain.tool && each.table === chain.table && each.rules.some(({ targets }) => targets.includes(chain.name)));
  return callers.some((each) => isForwarding(each, chains, depth + 1));
}
