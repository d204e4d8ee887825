/**
 * Lives here: the host driver in one call: folders, lock, store, host, rules.
 * For vnetd, and for programs that want no daemon.
 */
import { join } from 'node:path';
import { defaultConfig, type Config } from './config.js';
import { prepareFolder } from './files.js';
import { openFileStore } from './driver/file-store.js';
import type { Host } from './driver/host.js';
import { openHostDriver } from './driver/host-driver.js';
import type { LocalNetworkDriver } from './driver/local-driver.js';
import { openLinuxHost } from './host/linux.js';
import { openLock } from './lock.js';
import { silentLog, type Log } from './log.js';

/** The host driver, open. */
export interface EmbeddedDriver {
  driver: LocalNetworkDriver;
  /** What it lacked when it was opened. Never rejects. */
  missing: Promise<readonly string[]>;
  /** What the host lacks now, each a sentence that says what to do. */
  lacks(): Promise<readonly string[]>;
  /** Lets go of the folders. The networks stay. */
  close(): Promise<void>;
}

/**
 * Opens the host driver with its folders below a root. It acts on the network
 * namespace of this process and needs the rights to change it.
 *
 * @throws Error if another process has these folders open
 */
export async function openEmbeddedDriver(root: string): Promise<EmbeddedDriver> {
  return openConfiguredDriver(defaultConfig(root), silentLog);
}

/**
 * Opens the host driver as a configuration says.
 *
 * @param atLeisure told when programs are at work for a while and this process has little to do
 */
export async function openConfiguredDriver(config: Config, log: Log, atLeisure?: () => void): Promise<EmbeddedDriver> {
  const { folders, dnsmasq, firewall } = config;
  await prepareFolder(folders.run, 0o755);
  const lock = await openLock(join(folders.run, 'vnetd.lock'));
  try {
    const store = await openFileStore({ ...folders, keep: config.history.keep });
    const host = await openLinuxHost({
      varFolder: folders.var, runFolder: folders.run, dnsmasqUser: dnsmasq.user, resolvConf: dnsmasq.resolvConf, firewall: firewall.backend,
      acceptInForeign: firewall.acceptInForeign, log, atLeisure,
    });
    const driver = await openHostDriver(host, store, log);
    return { driver, missing: tell(host, log), lacks: async () => (await host.probe()).missing, close: async () => { await host.close(); await lock.close(); } };
  } catch (error) {
    await lock.close();
    throw error;
  }
}

/** Tells the log what the host has and what it lacks. Gives what it lacks. Never throws. */
async function tell(host: Host, log: Log): Promise<readonly string[]> {
  const { summary, missing } = await host.probe();
  log.info({ summary }, 'host');
  for (const sentence of missing) log.warn({}, sentence);
  return missing;
}
