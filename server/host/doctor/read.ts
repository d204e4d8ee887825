/**
 * Lives here: reading all that the doctor looks at, once, side by side. What
 * cannot be read is absent, so that one thing that is odd does not hide the
 * rest. Does not know: what is good or bad.
 */
import { constants } from 'node:fs';
import { access, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import { accountIds } from '../../accounts.js';
import type { NetworkPlan, Standing } from '../../driver/host.js';
import { NetworkError } from '../../../shared/errors.js';
import type { Commands, Tool } from '../command.js';
import { chooseAccount } from '../dnsmasq/account.js';
import { readForeignChains } from '../foreign/read.js';
import { versionOf } from '../probe.js';
import { readDefaultRoutes, readInterfaces, readRoutes } from '../proc.js';
import type { Reading, Use } from './check.js';
import { parseSockets, type Socket } from './sockets.js';

/** What the doctor asks of the host beside the machine. */
export interface Patient {
  commands: Commands;
  /** The programs that networks need here. */
  tools: readonly Tool[];
  /** The folder of dnsmasq's files. */
  dnsmasqFolder: string;
  dnsmasqUser: string;
  /** What stands of plans. Only reads. */
  standing(plans: readonly NetworkPlan[]): Promise<Standing[]>;
  /** What the kernel turned out not to have. */
  lacks(): readonly string[];
}

/** Looks at the machine. */
export async function readMachine(patient: Patient, plans: readonly NetworkPlan[]): Promise<Reading> {
  const { commands } = patient;
  const [standing, tools, status, settingsWritable, interfaces, routes, defaultRoutes, sockets, chains, ipv6, use, closedFolders, profiles, modules] = await Promise.all([
    // Who lacks the rights to look, which is a finding of its own, is not told that all is lost.
    patient.standing(plans).catch(() => plans.map(() => ({ bridge: true, dnsmasq: true, firewall: true }))), Promise.all(patient.tools.map((tool) => readTool(commands, tool))), text('/proc/self/status'),
    access('/proc/sys/net/ipv4/ip_forward', constants.W_OK).then(() => true, () => false), readInterfaces(), readRoutes(), readDefaultRoutes(),
    readSockets(commands, patient.dnsmasqFolder), readForeignChains(commands).catch(() => []), access('/proc/net/if_inet6').then(() => true, () => false), readUse(),
    readClosedFolders(patient), text('/sys/kernel/security/apparmor/profiles'), readModules(),
  ]);
  const named = [...plans.flatMap(({ bridge, definition }) => [bridge, definition.forward?.dev ?? '']), ...defaultRoutes.map((route) => route.interface)];
  return {
    plans, standing, tools, settingsWritable, interfaces, routes, defaultRoutes, sockets, chains, ipv6, use, closedFolders, modules,
    capabilities: BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`),
    settings: await readSettings(new Set(named.filter((name) => interfaces.includes(name)))),
    profiles: profiles.split('\n').filter((line) => line !== ''), lacks: patient.lacks(),
  };
}

/** A file's text; empty if it cannot be read. */
function text(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

async function readTool(commands: Commands, tool: Tool): Promise<Reading['tools'][number]> {
  try {
    const version = await versionOf(commands, tool);
    return { tool, ...(version === undefined ? {} : { version }) };
  } catch (error) {
    const { message, hint } = error instanceof NetworkError ? error : { message: String(error), hint: undefined };
    return { tool, missing: { message, ...(hint === undefined ? {} : { hint }) } };
  }
}

/** The kernel's settings, those of all and those of some interfaces. */
async function readSettings(interfaces: ReadonlySet<string>): Promise<Record<string, string>> {
  const keys = [
    'net/bridge/bridge-nf-call-iptables', 'net/bridge/bridge-nf-call-ip6tables', 'net/netfilter/nf_conntrack_count', 'net/netfilter/nf_conntrack_max',
    'net/ipv4/neigh/default/gc_thresh3', 'fs/inotify/max_user_instances', 'kernel/pid_max',
    ...['all', ...interfaces].flatMap((name) => [
      `net/ipv4/conf/${name}/forwarding`, `net/ipv4/conf/${name}/rp_filter`, `net/ipv6/conf/${name}/forwarding`, `net/ipv6/conf/${name}/accept_ra`, `net/ipv6/conf/${name}/disable_ipv6`,
    ]),
  ];
  const values = await Promise.all(keys.map(async (key) => [key, (await text(`/proc/sys/${key}`)).trim()] as const));
  return Object.fromEntries(values.filter(([, value]) => value !== ''));
}

async function readSockets(commands: Commands, dnsmasqFolder: string): Promise<Socket[]> {
  const listed = parseSockets(await commands.read('ss', ['-H', '-l', '-n', '-t', '-u', '-p']).catch(() => ''));
  const wanted = listed.filter(({ port }) => port === 53 || port === 67 || port === 547);
  return Promise.all(wanted.map(async (socket) => ({
    ...socket, ours: socket.pid !== undefined && (await text(`/proc/${socket.pid}/cmdline`)).includes(`--conf-file=${dnsmasqFolder}/`),
  })));
}

async function readUse(): Promise<Use> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const [inotify, limits, files, arp] = await Promise.all([
    Promise.all(pids.map(inotifyOf)), text('/proc/self/limits'), readdir('/proc/self/fd').catch(() => []), text('/proc/net/arp'),
  ]);
  return {
    inotify: inotify.reduce((sum, count) => sum + count, 0), processes: pids.length, openFiles: files.length,
    mostOpenFiles: Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0), neighbours: Math.max(0, arp.trim().split('\n').length - 1),
  };
}

/** How many inotify instances a process has, if it is of this process's account. */
async function inotifyOf(pid: string): Promise<number> {
  const folder = `/proc/${pid}/fd`;
  const owner = await stat(`/proc/${pid}`).catch(() => undefined);
  if (owner?.uid !== process.getuid?.()) return 0;
  const targets = await Promise.all((await readdir(folder).catch(() => [])).map((fd) => readlink(join(folder, fd)).catch(() => '')));
  return targets.filter((target) => target === 'anon_inode:inotify').length;
}

/** The folders on the way to dnsmasq's files that its account cannot pass. */
async function readClosedFolders({ dnsmasqFolder, dnsmasqUser }: Patient): Promise<Reading['closedFolders']> {
  const { user } = await chooseAccount(dnsmasqUser);
  const ids = await accountIds(user);
  if (ids === undefined || ids.uid === 0) return [];
  const folders: string[] = [];
  for (let path = dnsmasqFolder; path !== dirname(path); path = dirname(path)) folders.push(path);
  const closed = await Promise.all(folders.map(async (path) => {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) return [];
    const bit = found.uid === ids.uid ? 0o100 : found.gid === ids.gid ? 0o010 : 0o001;
    return (found.mode & bit) === 0 ? [{ path, user }] : [];
  }));
  return closed.flat();
}

/** The modules of this kernel; undefined if its list is not on this machine, as in a container. */
async function readModules(): Promise<ReadonlySet<string> | undefined> {
  const folder = `/lib/modules/${release()}`;
  const [builtIn, loadable, loaded] = await Promise.all([text(`${folder}/modules.builtin`), text(`${folder}/modules.dep`), text('/proc/modules')]);
  if (builtIn === '') return undefined;
  const names = `${builtIn}\n${loadable.replace(/:.*$/gm, '')}`.split('\n').map((path) => /([^/]+)\.ko(\.\w+)?$/.exec(path)?.[1]?.replaceAll('-', '_') ?? '');
  return new Set([...names, ...loaded.split('\n').map((line) => line.split(' ')[0] ?? '')].filter((name) => name !== ''));
}
