/**
 * Lives here: whose rules those of another program look like, and what to do
 * there so that a network's packets pass. Does not know: how rules are read.
 */
import { safeInterface } from '../safe-text.js';
import type { ForeignChain, Stop } from './chains.js';
import type { Packet } from './packet.js';

/** A program that makes firewall rules. */
interface Owner {
  name: string;
  /** Whether a table with these chains is its. */
  owns(table: string, chains: readonly string[]): boolean;
  /** What lets the packets of a bridge pass. */
  advice(bridge: string, packet: Packet, stop: Stop): string;
}

const any = (pattern: RegExp) => (_: string, chains: readonly string[]) => chains.some((name) => pattern.test(name));

/** The programs that are known, the one that decides before the others first. */
const owners: readonly Owner[] = [
  {
    name: 'firewalld', owns: (table) => /\bfirewalld/.test(table),
    advice: (bridge) => `firewall-cmd --zone=trusted --add-interface=${bridge}`,
  },
  {
    name: 'Docker', owns: any(/^DOCKER-USER$/),
    advice: (bridge, { hook }, stop) => (hook === 'forward' ? `${bothWays(programOf(stop), 'DOCKER-USER', bridge)}; or let vnetd do it: set [firewall] accept_in_foreign = true in vnetd.toml`
      : inputAdvice(bridge, stop)),
  },
  {
    name: 'Docker', owns: (table, chains) => /\bdocker-bridges$/.test(table) || any(/^DOCKER/)(table, chains),
    advice: () => 'set "ip-forward-no-drop": true in /etc/docker/daemon.json and run: systemctl restart docker',
  },
  {
    name: 'ufw', owns: any(/^ufw6?-/),
    advice: (bridge, { hook, dport }) => (hook === 'forward' ? `ufw route allow in on ${bridge} && ufw route allow out on ${bridge}` : `ufw allow in on ${bridge} to any port ${dport}`),
  },
  {
    name: 'Podman', owns: (table, chains) => /\bnetavark$/.test(table) || any(/^(NETAVARK|CNI)[-_]/)(table, chains),
    advice: (bridge, packet, stop) => plainAdvice(bridge, packet, stop),
  },
  {
    name: 'Kubernetes', owns: any(/^(KUBE-|cali-|CILIUM_|FLANNEL-)/),
    advice: (bridge, packet, stop) => plainAdvice(bridge, packet, stop),
  },
];

/** Who made a chain, as far as the table it is in tells. */
export function ownerOf(stop: Stop, chains: readonly ForeignChain[]): { name: string; advice(bridge: string, packet: Packet): string } {
  const names = chains.filter(({ tool, table }) => tool === stop.base.tool && table === stop.base.table).map(({ name }) => name);
  const owner = owners.find((each) => each.owns(stop.base.table, names));
  return {
    name: owner?.name ?? 'another program',
    advice: (bridge, packet) => (owner ?? { advice: plainAdvice }).advice(safeInterface(bridge), packet, stop),
  };
}

/** Where a packet ends, for people: `the policy of chain FORWARD (iptables, table ip filter) is drop`. */
export function describeStop({ base, chain, rule }: Stop): string {
  const place = `chain ${chain.name} (${chain.tool}, table ${chain.table})`;
  return rule === undefined ? `the policy of ${`chain ${base.name} (${base.tool}, table ${base.table})`} is drop` : `a rule of ${place} refuses them (${rule.text})`;
}

function programOf({ base: { tool, table } }: Stop): string {
  return tool === 'nft' ? (table.startsWith('ip6 ') ? 'ip6tables' : 'iptables') : tool;
}

function bothWays(program: string, chain: string, bridge: string): string {
  return `${program} -I ${chain} -i ${bridge} -j ACCEPT && ${program} -I ${chain} -o ${bridge} -j ACCEPT`;
}

function inputAdvice(bridge: string, { base }: Stop): string {
  return base.tool === 'nft' ? `nft insert rule ${base.table} ${base.name} iifname ${bridge} accept` : `${base.tool} -I INPUT -i ${bridge} -j ACCEPT`;
}

function plainAdvice(bridge: string, { hook }: Packet, stop: Stop): string {
  if (hook === 'input') return inputAdvice(bridge, stop);
  const { tool, table, name } = stop.base;
  if (tool !== 'nft') return bothWays(tool, name, bridge);
  return `nft insert rule ${table} ${name} iifname ${bridge} accept && nft insert rule ${table} ${name} oifname ${bridge} accept`;
}
