/**
 * Lives here: what a soak sees of the host and of vnetd's files, with the
 * system's own tools. Does not know: what should be there.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '../lab/place.js';
import { listProcesses, type Process } from './processes-of.js';
import { readContents } from './sites.js';

/** Names that vnet makes up for devices of its own. */
const ownNames = /^vn(et\d|b|q)/;

/** A link that vnet marked as its own, or named as such. */
export interface MarkedLink {
  name: string;
  /** The UUID in its mark, a network's or a port's; empty if it has none. */
  uuid: string;
  bridge: boolean;
  up: boolean;
  master: string;
  /** Its IPv4 addresses, with prefix. */
  addresses: string[];
}

/** Everything that is there because of vnet, at one moment. */
export interface Seen {
  links: MarkedLink[];
  /** The names of networks for which a dnsmasq runs, one for each process. */
  dnsmasqs: string[];
  /** The UUIDs of networks that the firewall mentions, without dashes. */
  guarded: string[];
  /** What each saved definition says, by name. */
  saved: Map<string, string>;
  /** The names that have an autostart mark. */
  autostart: string[];
  /** The UUIDs of live records. */
  live: string[];
  /** Each port record, as NETWORK.PORT. */
  ports: string[];
  /** Files that never got in place. */
  temporary: string[];
  forwarding: boolean;
  processes: Process[];
}

/** Looks at everything. */
export async function observe(root: string): Promise<Seen> {
  const networks = join(root, 'etc/vnet/networks');
  const run = join(root, 'run/vnet');
  const [links, processes, rules, files, autostart, live, ports, all, forwarding] = await Promise.all([
    readLinks(), listProcesses(), runProgram('nft', ['list', 'ruleset']), namesIn(networks, '.xml'), namesIn(join(networks, 'autostart'), '.xml'),
    readLive(root), namesIn(join(run, 'ports'), '.json'), readdir(root, { recursive: true }), readFile('/proc/sys/net/ipv4/ip_forward', 'utf8'),
  ]);
  const saved = await Promise.all(files.map(async (name): Promise<[string, string]> => [name, readContents(await readFile(join(networks, `${name}.xml`), 'utf8'))]));
  return {
    links, processes, autostart, live, ports, saved: new Map(saved), forwarding: forwarding.trim() === '1',
    dnsmasqs: processes.flatMap(({ command, ended }) => (ended ? [] : dnsmasqOf(root, command) ?? [])),
    guarded: [...new Set([...rules.matchAll(/chain (?:leave|enter|nat)_([0-9a-f]{32}) /g)].map(([, uuid]) => uuid!))],
    temporary: all.filter((name) => name.endsWith('.tmp')),
  };
}

/** The network whose dnsmasq a command line is; undefined if it is none of this root. */
export function dnsmasqOf(root: string, command: string): string | undefined {
  return command.includes('dnsmasq') && command.includes(`${root}/`) ? /--conf-file=\S*\/([^/\s]+)\.conf/.exec(command)?.[1] : undefined;
}

/** The UUIDs of live records. */
export function readLive(root: string): Promise<string[]> {
  return namesIn(join(root, 'run/vnet/networks'), '.json');
}

async function namesIn(folder: string, ending: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith(ending) && !name.startsWith('.')).map((name) => name.slice(0, -ending.length)).sort();
}

/** A link as `ip -json` shows it. */
interface ShownLink {
  ifname: string;
  ifalias?: string;
  master?: string;
  flags: string[];
  linkinfo?: { info_kind?: string };
  addr_info: { family: string; local: string; prefixlen: number }[];
}

/** The links that vnet marked as its own. */
export async function readLinks(): Promise<MarkedLink[]> {
  const shown = JSON.parse(await runProgram('ip', ['-json', '-details', 'addr', 'show']) || '[]') as Partial<ShownLink>[];
  return shown.flatMap(({ ifname = '', ifalias = '', master = '', flags = [], linkinfo, addr_info: addresses = [] }) => {
    const [, uuid] = /^vnet:(.*)$/.exec(ifalias) ?? [];
    return uuid === undefined && !ownNames.test(ifname) ? [] : [{
      name: ifname, uuid: uuid ?? '', bridge: linkinfo?.info_kind === 'bridge', up: flags.includes('UP'), master,
      addresses: addresses.filter(({ family }) => family === 'inet').map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    }];
  });
}
