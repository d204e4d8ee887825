/**
 * Lives here: the look at everything after a round: it waits until nothing
 * differs from what should be, for as long as a repair may take. Does not
 * know: what was done before.
 */
import type { Connection } from '../../client/connection.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { Actor } from './actor.js';
import type { SoakDaemon } from './daemon.js';
import { differencesOf, expectedOf, growth, strangers, type Told } from './invariants.js';
import { observe, type Seen } from './observe.js';
import { readHoldings, type Holdings } from './processes-of.js';
import type { Report } from './report.js';
import { readContents, sharedSites, type Site } from './sites.js';

/** One who owns networks. */
export interface Owner {
  actor: Actor;
  sites: readonly Site[];
  /** Its ports have devices of vnet's. */
  withDevices: boolean;
}

/** What is looked at, and with what. */
export interface Scene {
  owners: readonly Owner[];
  report: Report;
  root: string;
  daemon: SoakDaemon;
  observer: Connection;
  /** What each daemon held after its first round, by its PID. */
  bases: Map<number, Holdings>;
}

/** How long repairs and what is taken away late may take, in milliseconds. */
const settledWithinMs = 60_000;

/** Between two looks, in milliseconds. */
const lookEveryMs = 250;

/** Waits until everything is as it should be, and takes note of what the daemon holds; or reports what is not. */
export async function settle(scene: Scene): Promise<void> {
  const { owners, report, daemon, bases } = scene;
  // Everybody is connected again to a daemon that was started meanwhile.
  for (const { actor, sites } of owners) await actor.act({ kind: 'look', site: sites[0]! });
  const deadlineMs = performance.now() + settledWithinMs;
  for (;;) {
    // What vanishes while it is looked at is looked at again.
    const { wrong, held } = await look(scene).catch((error: unknown) => ({ wrong: [`cannot look: ${String(error)}`], held: undefined }));
    if (wrong.length === 0 && held !== undefined) {
      if (!bases.has(daemon.pid())) bases.set(daemon.pid(), held);
      report.holdings.push({ pid: daemon.pid(), held });
      return;
    }
    if (performance.now() > deadlineMs) {
      for (const what of wrong) report.problem(`not within ${settledWithinMs / 1000} seconds: ${what}`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

async function look(scene: Scene): Promise<{ wrong: string[]; held: Holdings }> {
  const { root, daemon, observer, bases } = scene;
  const seen = await observe(root);
  const told = await survey(observer);
  const held = await readHoldings(daemon.pid(), seen.processes);
  return { wrong: [...compare(scene, seen, told), ...growth(bases.get(daemon.pid()) ?? held, held)], held };
}

/** Everything that differs from what should be. */
function compare({ owners }: Scene, seen: Seen, told: ReadonlyMap<string, Told>): string[] {
  const own = owners.flatMap(({ actor, sites, withDevices }) => actor.model.settle((world) =>
    sites.flatMap((site) => differencesOf(site, expectedOf(world[site.name]), told.get(site.name), seen, withDevices))));
  // Nobody knows what became of these: what vnetd tells has to be true.
  const shared = sharedSites.flatMap((site) => differencesOf(site, told.get(site.name), told.get(site.name), seen, false));
  const sites = [...sharedSites, ...owners.flatMap((owner) => owner.sites)];
  const ports = [...told.values()].flatMap((each) => each.ports);
  const names = [...told.keys()].filter((name) => name !== 'default' && !sites.some((site) => site.name === name));
  return [
    ...own, ...shared, ...strangers(seen, sites, ports), ...names.map((name) => `vnetd tells of network ${name}, which nobody made`),
    ...(told.has('default') ? [] : ['the network default is gone']), ...(seen.forwarding ? [] : ['forwarding is off']),
  ];
}

/** Everything that vnetd tells of its networks. */
async function survey(connection: Connection): Promise<Map<string, Told>> {
  const rows = await connection.listAllNetworks();
  return new Map(await Promise.all(rows.map(async ({ network, active, persistent, autostart }): Promise<[string, Told]> => [network.name, {
    active, persistent, state: `${active ? 'active' : 'inactive'} ${persistent ? 'persistent' : 'transient'}${autostart ? ' autostart' : ''}`,
    saved: readContents(await network.dumpXml({ inactive: true })), live: readContents(await network.dumpXml()),
    ports: await network.ports().then((ports) => ports.map(({ uuid }) => uuid), nonePlugged),
  }])));
}

/** A network that is inactive and keeps no ports does not list them. */
function nonePlugged(error: unknown): string[] {
  if (error instanceof NetworkError && error.code === ErrorCode.OPERATION_INVALID) return [];
  throw error;
}
