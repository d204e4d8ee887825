/**
 * Lives here: the host driver: the rules over a real host and a store in files.
 */
import type { Log } from '../log.js';
import { Journal } from './events.js';
import { noRepairs } from './health.js';
import type { Host } from './host.js';
import { watchHost } from './host-watch.js';
import { LocalNetworkDriver } from './local-driver.js';
import type { Estate } from './lifecycle.js';
import { recover } from './recovery.js';
import { Register } from './register.js';
import type { Store } from './store.js';

/**
 * Opens the driver of this host: adopts what stands, undoes what was left
 * half-done, starts what starts with the host. It follows what happens on the
 * host until the host is closed.
 */
export async function openHostDriver(host: Host, store: Store, log: Log): Promise<LocalNetworkDriver> {
  const estate: Estate = { register: new Register(), host, store, journal: new Journal(), repairs: noRepairs(), log };
  await recover(estate);
  void watchHost(estate);
  return new LocalNetworkDriver('host', estate);
}
