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

/** How each program tells its version, and where it stands in the answer. */
const versions: Record<Tool, { argv: string[]; pattern: RegExp }> = {
  ip: { argv: ['-V'], pattern: /iproute2-([\w.]+)/ },
  nft: { argv: ['--version'], pattern: /v([\d.]+)/ },
  dnsmasq: { argv: ['--version'], pattern: /[Vv]ersion ([\w.]+)/ },
};

/** Looks at the machine. Throws for nothing. */
export async function probeLinux(commands: Commands): Promise<HostReport> {
  const missing: string[] = [];
  const found = await Promise.all(Object.entries(versions).map(async ([tool, { argv, pattern }]) => {
    try {
      return `${tool} ${pattern.exec(await commands.read(tool as Tool, argv))?.[1] ?? '(version unknown)'}`;
    } catch (error) {
      missing.push(describe(error));
      return undefined;
    }
  }));
  if (!await access('/proc/sys/net/ipv4/ip_forward', constants.W_OK).then(() => true, () => false)) {
    missing.push('/proc/sys/net cannot be written, so no network can be started: run the daemon as root');
  }
  return { summary: [`Linux ${release()}`, ...found.filter((text) => text !== undefined)].join(', '), missing };
}

function describe(error: unknown): string {
  if (!(error instanceof NetworkError)) return String(error);
  return error.hint === undefined ? error.message : `${error.message}: ${error.hint}`;
}
