/**
 * Lives here: what this machine has for virtual networks, and what it lacks.
 * Does not know: networks.
 */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { release } from 'node:os';
import { NetworkError } from '../../shared/errors.js';
import type { HostReport } from '../driver/host.js';
import type { Commands, Tool } from './command.js';
import type { Firewall } from './firewall/firewall.js';

/** With the kind: (nf_tables) or (legacy). */
const xtables = { argv: ['--version'], pattern: /v([\d.]+(?: \(\w+\))?)/ };

const iproute2 = { argv: ['-V'], pattern: /iproute2-([\w.]+)/ };

/** How each program tells its version, and where it stands in the answer. */
const versions: Record<Tool, { argv: string[]; pattern: RegExp }> = {
  ip: iproute2, tc: iproute2, bridge: iproute2, ss: iproute2,
  nsenter: { argv: ['--version'], pattern: /util-linux ([\w.]+)/ },
  udevadm: { argv: ['--version'], pattern: /^(\d+)/ },
  'ovs-vsctl': { argv: ['--version'], pattern: /Open vSwitch\) ([\w.]+)/ },
  nft: { argv: ['--version'], pattern: /v([\d.]+)/ },
  'iptables-restore': xtables, 'ip6tables-restore': xtables, 'iptables-save': xtables, 'ip6tables-save': xtables,
  'iptables-legacy-restore': xtables, 'ip6tables-legacy-restore': xtables, 'iptables-legacy-save': xtables, 'ip6tables-legacy-save': xtables,
  dnsmasq: { argv: ['--version'], pattern: /[Vv]ersion ([\w.]+)/ },
  'firewall-cmd': { argv: ['--version'], pattern: /([\d.]+)/ },
  xargs: { argv: ['--version'], pattern: /([\d.]+)$/m },
  perl: { argv: ['--version'], pattern: /\(v([\d.]+)\)/ },
  getent: { argv: ['--version'], pattern: /([\d.]+)$/m },
};

/** A program's version; undefined if it does not tell. @throws as Commands.read does */
export async function versionOf(commands: Commands, tool: Tool): Promise<string | undefined> {
  const { argv, pattern } = versions[tool];
  return pattern.exec(await commands.read(tool, argv))?.[1];
}

/** Looks at the machine. Throws for nothing. */
export async function probeLinux(commands: Commands, firewall: Firewall): Promise<HostReport> {
  const missing: string[] = [];
  const tools: Tool[] = ['ip', ...firewall.tools, 'dnsmasq', 'tc'];
  const found = await Promise.all(tools.map(async (tool) => {
    try {
      return `${tool} ${await versionOf(commands, tool) ?? '(version unknown)'}`;
    } catch (error) {
      missing.push(describe(error));
      return undefined;
    }
  }));
  if (firewall.tools.length === 0) await firewall.require().catch((error: unknown) => missing.push(describe(error)));
  if (!await access('/proc/sys/net/ipv4/ip_forward', constants.W_OK).then(() => true, () => false)) {
    missing.push('/proc/sys/net cannot be written, so no network can be started: run the daemon as root');
  }
  return { summary: [`Linux ${release()}`, ...found.filter((text) => text !== undefined)].join(', '), missing };
}

function describe(error: unknown): string {
  if (!(error instanceof NetworkError)) return String(error);
  return error.hint === undefined ? error.message : `${error.message}: ${error.hint}`;
}
