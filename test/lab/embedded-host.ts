/**
 * Lives here: the Linux host in this process, told what to do with documents,
 * for tests of it alone. Does not know: the rules above it.
 */
import { join } from 'node:path';
import { openLinuxHost, type LinuxHostOptions } from '../../server/host/linux.js';
import type { Host, NetworkPlan } from '../../server/driver/host.js';
import { silentLog } from '../../server/log.js';
import { parseNetwork } from '../../shared/definition/index.js';
import type { Lab } from './lab.js';

/** The plan of a document that leaves nothing open. */
export function planFrom(xml: string): NetworkPlan {
  const { definition } = parseNetwork(xml);
  const { uuid, name, bridge } = definition;
  if (uuid === undefined || bridge?.name === undefined) throw new Error(`network ${name} has no UUID or no bridge name`);
  return { uuid, name, bridge: bridge.name, definition };
}

/** Opens the Linux host of a lab. What no network needs goes at once, so that a test can see it gone. */
export function openLabHost(lab: Lab, options: Partial<LinuxHostOptions> = {}): Promise<Host> {
  return openLinuxHost({
    varFolder: join(lab.folder, 'var'), runFolder: join(lab.folder, 'run'), dnsmasqUser: '', resolvConf: lab.resolvConf, lingerMs: 0, log: silentLog, ...options,
  });
}

/** The UUIDs of the networks that a host says it has repaired, as it says so. Ends with the host. */
export function followRepairs(host: Host): string[] {
  const repaired: string[] = [];
  void (async () => {
    for (let events = await host.nextEvents(); events.length > 0; events = await host.nextEvents()) {
      repaired.push(...events.filter(({ kind }) => kind === 'repaired').map(({ network }) => network));
    }
  })();
  return repaired;
}
