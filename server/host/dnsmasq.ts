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
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { HostLease, NetworkPlan } from '../driver/host.js';
import type { Log } from '../log.js';
import type { Commands } from './command.js';
import { chooseAccount } from './dnsmasq/account.js';
import { needsDnsmasq, renderConf, type DnsmasqAccount, type DnsmasqFiles } from './dnsmasq/conf.js';
import { renderHosts, renderNames } from './dnsmasq/hosts.js';
import { openKeeper, type Keeper } from './dnsmasq/keeper.js';
import { findProcess, openStarts, reloadProcess, stopProcess, testConf } from './dnsmasq/process.js';
import { openUpstream } from './dnsmasq/upstream.js';
import { prepareFolder, removeFile, replaceFile } from '../files.js';
import type { Tell } from './events.js';
import { openLeaseWatch, type LeaseWatch } from './lease-watch.js';
import { releaseLease } from './lease-release.js';
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
  /**
   * Brings a network's files and its dnsmasq from one plan to another. One whose
   * configuration stays reads its hosts again; else it is restarted, and
   * without its files it ends. The leases stay.
   *
   * @throws {NetworkError} with its own words
   */
  change(before: NetworkPlan, after: NetworkPlan): Promise<void>;
  /** Ends a network's dnsmasq and removes its files; the leases only if they are to be forgotten. */
  stop(plan: NetworkPlan, options: { forget: boolean }): Promise<void>;
  /** Whether a network's dnsmasq runs, or it needs none. */
  runs(plan: NetworkPlan): Promise<boolean>;
  /** Watches over a dnsmasq that an earlier daemon started, as over one that was started here. */
  adopt(plan: NetworkPlan): Promise<void>;
  /** The leases that have not expired. */
  leases(plan: NetworkPlan): Promise<HostLease[]>;
  /** Takes a leased address back. @throws {NetworkError} as Host.releaseLease */
  release(plan: NetworkPlan, address: string): Promise<void>;
  /** Stops following the upstream servers, leases and processes. */
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
  /** Who is told of leases, and of processes that had to be started again. */
  tell: Tell;
  /** Told when many are being started and this process has little to do meanwhile. */
  atLeisure?: (() => void) | undefined;
}

/** Makes the folders and begins to follow the upstream servers. */
export async function openDnsmasq({ varFolder, runFolder, user, resolvConf, commands, log, tell, atLeisure }: DnsmasqOptions): Promise<Dnsmasq> {
  const folders = { files: join(varFolder, 'dnsmasq'), pids: join(runFolder, 'dnsmasq') };
  // dnsmasq reads files again after it has given up its rights: it must get there, but need not look round.
  for (const folder of Object.values(folders)) await prepareFolder(folder, 0o711);
  const upstream = await openUpstream(resolvConf, join(folders.files, 'servers'), log, () => reloadAll(folders));
  const starts = openStarts(commands, atLeisure);
  const watches = { leases: openLeaseWatch(folders.files, tell, log), keeper: openKeeper((files) => starts.add(files), tell, log) };
  return new LocalDnsmasq(folders, await chooseAccount(user), commands, starts, watches, () => {
    upstream.close();
    watches.leases.close();
    watches.keeper.close();
  });
}

interface DnsmasqFolders {
  files: string;
  pids: string;
}

class LocalDnsmasq implements Dnsmasq {
  constructor(
    private readonly folders: DnsmasqFolders,
    private readonly account: DnsmasqAccount,
    private readonly commands: Commands,
    private readonly starts: ReturnType<typeof openStarts>,
    private readonly watches: { leases: LeaseWatch; keeper: Keeper },
    readonly close: () => void,
  ) {}

  render(plan: NetworkPlan): Rendered | undefined {
    if (!needsDnsmasq(plan)) return undefined;
    return { conf: renderConf(plan, this.filesOf(plan), this.account), hosts: renderHosts(plan), names: renderNames(plan) };
  }

  write(plan: NetworkPlan, rendered: Rendered): Promise<void> {
    return this.writeSome(plan, rendered, ['conf', 'hosts', 'names']);
  }

  private async writeSome(plan: NetworkPlan, rendered: Rendered, which: (keyof Rendered)[]): Promise<void> {
    const files = this.filesOf(plan);
    try {
      await Promise.all(which.map((file) => replaceFile(files[file], rendered[file], file === 'conf' ? 0o600 : 0o644)));
    } catch (error) {
      throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot write dnsmasq's files of network '${plan.name}': ${(error as Error).message}`, { cause: error });
    }
  }

  async start(plan: NetworkPlan): Promise<void> {
    const files = this.filesOf(plan);
    // Nobody else is to start it meanwhile, or has done so.
    await this.watches.keeper.release(plan);
    // Before there is anyone to give out a lease, so that none is taken for an old one.
    await this.watches.leases.follow(plan.uuid, files.leases);
    if (await findProcess(files) === undefined) await this.starts.add(files);
    await this.watches.keeper.guard(plan, files);
  }

  async adopt(plan: NetworkPlan): Promise<void> {
    if (!needsDnsmasq(plan) || this.watches.leases.follows(plan.uuid)) return;
    const files = this.filesOf(plan);
    await Promise.all([this.watches.leases.follow(plan.uuid, files.leases), this.watches.keeper.guard(plan, files)]);
  }

  async change(before: NetworkPlan, after: NetworkPlan): Promise<void> {
    const [old, now] = [this.render(before), this.render(after)];
    if (now === undefined) return old === undefined ? undefined : this.stop(after, { forget: false });
    const files = this.filesOf(after);
    if (await readFile(files.conf, 'utf8').catch(() => '') === now.conf && await findProcess(files) !== undefined) {
      const changed = (['hosts', 'names'] as const).filter((file) => old?.[file] !== now[file]);
      if (changed.length === 0) return;
      await this.writeSome(after, now, [...changed]);
      return reloadProcess(files);
    }
    await testConf(this.commands, files, now.conf);
    // While one runs, the file says what it was started with: it ends first, and is not to be missed.
    await this.watches.keeper.release(after);
    await stopProcess(files);
    await this.write(after, now);
    await this.start(after);
  }

  async stop(plan: NetworkPlan, { forget }: { forget: boolean }): Promise<void> {
    const files = this.filesOf(plan);
    this.watches.leases.unfollow(plan.uuid);
    await this.watches.keeper.release(plan);
    await stopProcess(files);
    const obsolete = [files.conf, files.hosts, files.names, ...(forget ? [files.leases] : [])];
    await Promise.all(obsolete.map(removeFile));
  }

  async runs(plan: NetworkPlan): Promise<boolean> {
    return !needsDnsmasq(plan) || await findProcess(this.filesOf(plan)) !== undefined;
  }

  leases(plan: NetworkPlan): Promise<HostLease[]> {
    return readLeases(this.filesOf(plan).leases);
  }

  release(plan: NetworkPlan, address: string): Promise<void> {
    return releaseLease(plan, this.filesOf(plan).leases, address);
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
