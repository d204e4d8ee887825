/**
 * Lives here: DHCP and DNS of the networks: their files, their processes, and
 * the upstream servers they share. Does not know: bridges, rules; what stands
 * in a file (see `dnsmasq/`).
 *
 *     VAR/dnsmasq/NAME.conf        the configuration, for root alone
 *     VAR/dnsmasq/NAME.hostsfile   hosts that DHCP knows
 *     VAR/dnsmasq/NAME.addnhosts   names of hosts
 *     VAR/dnsmasq/NAME.leases      what was given out; outlives a stop
 *     VAR/dnsmasq/servers          the upstream servers of all networks
 *     RUN/dnsmasq/NAME.pid
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { HostLease, NetworkPlan } from '../driver/host.js';
import type { Log } from '../log.js';
import type { Commands } from './command.js';
import { chooseAccount } from './dnsmasq/account.js';
import { needsDnsmasq, renderConf, type DnsmasqAccount, type DnsmasqFiles } from './dnsmasq/conf.js';
import { renderHosts, renderNames } from './dnsmasq/hosts.js';
import { findProcess, openStarts, reloadProcess, stopProcess } from './dnsmasq/process.js';
import { openUpstream } from './dnsmasq/upstream.js';
import { prepareFolder, replaceFile } from '../files.js';
import { readLeases } from './leases.js';
import { fileStem } from './safe-text.js';

/** A network's files, rendered but not written. */
export interface Rendered {
  conf: string;
  hosts: string;
  names: string;
}

/** DHCP and DNS for networks. */
export interface Dnsmasq {
  /** The content of a network's files, or undefined if it needs none. @throws {NetworkError} as renderConf */
  render(plan: NetworkPlan): Rendered | undefined;
  /** Writes a network's files. */
  write(plan: NetworkPlan, rendered: Rendered): Promise<void>;
  /** Starts a network's dnsmasq from its files; the bridge must be up. @throws {NetworkError} with its own words */
  start(plan: NetworkPlan): Promise<void>;
  /** Ends a network's dnsmasq and removes its files; the leases only if they are to be forgotten. */
  stop(plan: NetworkPlan, options: { forget: boolean }): Promise<void>;
  /** Whether a network's dnsmasq runs, or it needs none. */
  runs(plan: NetworkPlan): Promise<boolean>;
  /** The leases that have not expired. */
  leases(plan: NetworkPlan): Promise<HostLease[]>;
  /** Stops following the upstream servers. */
  close(): void;
}

/** Where and how DHCP and DNS run. */
export interface DnsmasqOptions {
  varFolder: string;
  runFolder: string;
  user: string;
  resolvConf: string;
  commands: Commands;
  log: Log;
}

/** Makes the folders and begins to follow the upstream servers. */
export async function openDnsmasq({ varFolder, runFolder, user, resolvConf, commands, log }: DnsmasqOptions): Promise<Dnsmasq> {
  const folders = { files: join(varFolder, 'dnsmasq'), pids: join(runFolder, 'dnsmasq') };
  // dnsmasq reads files again after it has given up its rights: it must get there, but need not look round.
  for (const folder of Object.values(folders)) await prepareFolder(folder, 0o711);
  const upstream = await openUpstream(resolvConf, join(folders.files, 'servers'), log, () => reloadAll(folders));
  return new LocalDnsmasq(folders, await chooseAccount(user), openStarts(commands), () => upstream.close());
}

interface DnsmasqFolders {
  files: string;
  pids: string;
}

class LocalDnsmasq implements Dnsmasq {
  constructor(
    private readonly folders: DnsmasqFolders,
    private readonly account: DnsmasqAccount,
    private readonly starts: ReturnType<typeof openStarts>,
    readonly close: () => void,
  ) {}

  render(plan: NetworkPlan): Rendered | undefined {
    if (!needsDnsmasq(plan)) return undefined;
    return { conf: renderConf(plan, this.filesOf(plan), this.account), hosts: renderHosts(plan), names: renderNames(plan) };
  }

  async write(plan: NetworkPlan, { conf, hosts, names }: Rendered): Promise<void> {
    const files = this.filesOf(plan);
    try {
      await Promise.all([replaceFile(files.conf, conf, 0o600), replaceFile(files.hosts, hosts, 0o644), replaceFile(files.names, names, 0o644)]);
    } catch (error) {
      throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot write dnsmasq's files of network '${plan.name}': ${(error as Error).message}`, { cause: error });
    }
  }

  start(plan: NetworkPlan): Promise<void> {
    return this.starts.add(this.filesOf(plan));
  }

  async stop(plan: NetworkPlan, { forget }: { forget: boolean }): Promise<void> {
    const files = this.filesOf(plan);
    await stopProcess(files);
    const obsolete = [files.conf, files.hosts, files.names, ...(forget ? [files.leases] : [])];
    await Promise.all(obsolete.map((path) => rm(path, { force: true })));
  }

  async runs(plan: NetworkPlan): Promise<boolean> {
    return !needsDnsmasq(plan) || await findProcess(this.filesOf(plan)) !== undefined;
  }

  leases(plan: NetworkPlan): Promise<HostLease[]> {
    return readLeases(this.filesOf(plan).leases);
  }

  private filesOf(plan: NetworkPlan): DnsmasqFiles {
    return filesIn(this.folders, fileStem(plan));
  }
}

function filesIn({ files, pids }: DnsmasqFolders, stem: string): DnsmasqFiles {
  return {
    conf: join(files, `${stem}.conf`), hosts: join(files, `${stem}.hostsfile`), names: join(files, `${stem}.addnhosts`),
    leases: join(files, `${stem}.leases`), pid: join(pids, `${stem}.pid`), servers: join(files, 'servers'),
  };
}

/** Makes every dnsmasq of these folders read its files again, also one that an earlier daemon started. */
async function reloadAll(folders: DnsmasqFolders): Promise<void> {
  const pidFiles = (await readdir(folders.pids)).filter((name) => name.endsWith('.pid'));
  await Promise.all(pidFiles.map((name) => reloadProcess(filesIn(folders, name.slice(0, -'.pid'.length)))));
}
