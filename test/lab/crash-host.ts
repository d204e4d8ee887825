/**
 * Lives here: all of a host that networks are, as it can be compared: links,
 * addresses, routes, rules, settings, queues, processes and files. Does not
 * know: what is right.
 */
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from './lab.js';

/** The host as it is. */
export type HostView = Record<string, unknown>;

/** Looks at the host, and at the files below a folder. */
export async function viewHost(root: string): Promise<HostView> {
  const [links, ipv4, ipv6, rules, mangle, queues, dnsmasqs, files] = await Promise.all([
    viewLinks(), runProgram('ip', ['route', 'show']), runProgram('ip', ['-6', 'route', 'show']), runProgram('nft', ['--stateless', 'list', 'ruleset']),
    runProgram('iptables-save', ['-t', 'mangle']), runProgram('tc', ['qdisc', 'show']), viewProcesses(root), viewFiles(root),
  ]);
  const settings = await Promise.all(['ipv4/ip_forward', 'ipv4/conf/all/accept_redirects', 'ipv6/conf/all/forwarding', 'ipv6/conf/up0/accept_ra'].map(async (key) => `${key} ${await readFile(`/proc/sys/net/${key}`, 'utf8')}`));
  return {
    links, routes: lines(ipv4 + ipv6).filter((line) => !/^(fe80|multicast)/.test(line)).map((line) => line.replace(/ (linkdown|pref medium)/g, '').trim()),
    rules: lines(rules), mangle: lines(mangle).filter((line) => line.startsWith('-A')), queues: lines(queues).map((line) => line.replace(/qdisc (\S+) \S+/, '$1')), settings, dnsmasqs, files,
  };
}

function lines(text: string): string[] {
  return text.split('\n').map((line) => line.trimEnd()).filter((line) => line !== '').sort();
}

interface Link {
  ifname: string; flags: string[]; mtu: number; address: string; master?: string; ifalias?: string;
  addr_info: { local: string; prefixlen: number; scope: string }[];
}

async function viewLinks(): Promise<unknown[]> {
  const found = JSON.parse(await runProgram('ip', ['-json', '-details', 'addr', 'show'])) as Link[];
  return found.map(({ ifname, flags, mtu, address, master, ifalias, addr_info: given }) => ({
    ifname, up: flags.includes('UP'), mtu, address, master, ifalias, addresses: given.filter(({ scope }) => scope === 'global').map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort(),
  })).sort((a, b) => (a.ifname < b.ifname ? -1 : 1));
}

/** The dnsmasqs whose files are below a folder, each by its configuration and its pid. */
async function viewProcesses(root: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(pids.map(async (pid) => {
    const [argv, exe] = await Promise.all([readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''), readlink(`/proc/${pid}/exe`).catch(() => '')]);
    return exe.endsWith('/dnsmasq') && argv.includes(root) ? [argv.split('\0').join(' ').replaceAll(root, '').trim()] : [];
  }));
  return found.flat().sort();
}

/** Every file by its path, with its content where that is ours to say: no pids, times and leases. */
async function viewFiles(root: string): Promise<[string, string][]> {
  const entries = (await readdir(root, { recursive: true })).sort();
  const found = await Promise.all(entries.map(async (entry): Promise<[string, string][]> => {
    const path = join(root, entry);
    // What is kept of earlier versions the driver tells; a copy that was cut off is in nobody's way. That autostart was done is in no network.
    if (!(await stat(path)).isFile() || /networks\/history\/|\/autostarted$/.test(entry)) return [];
    const text = /\.(pid|leases)$|servers$/.test(entry) ? '' : await readFile(path, 'utf8');
    return [[entry, text.replaceAll(root, '').replace(/ at \d\S+Z/, '')]];
  }));
  return found.flat();
}
