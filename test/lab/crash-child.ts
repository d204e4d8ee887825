/**
 * Lives here: a process with a driver of its own for the crash test, which
 * stands at the points between its steps. Told what to do by its one argument
 * and by the words that come after; says what it sees in lines of JSON. Does
 * not know: the host, what is right.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Connection } from '../../client/connection.js';
import { openFileStore } from '../../server/driver/file-store.js';
import { openHostDriver } from '../../server/driver/host-driver.js';
import { openLinuxHost } from '../../server/host/linux.js';
import { prepareFolder } from '../../server/files.js';
import { silentLog } from '../../server/log.js';
import { watcherKey, type Watcher } from '../../server/step.js';
import { bystander, operations } from './crash-operations.js';

/** What the child is to do first. */
export interface Order {
  /** The driver's folders are below it. */
  root: string;
  /** The operation to prepare; absent: none. */
  prepare?: string;
  /** The operation to carry out then; absent: none. */
  run?: string;
  /** What happens at a point of it, or of the driver's start where there is none: before the nth step of this name, or of any. Absent: nothing. */
  fault?: { step?: string; nth: number; effect: 'kill' | 'error' };
}

/** What a driver says of its networks. */
export type Told = Record<string, unknown>;

/** What the child says. */
export interface Said {
  /** The steps of the operation so far. */
  steps: string[];
  /** What the operation failed with. */
  error?: string;
  told: Told;
}

/** The words that the child hears: carry out the operation once more; take everything away but the bystander; end. */
export type Word = { again: string } | 'clean' | 'end';

const order = JSON.parse(process.argv[2] ?? '{}') as Order;
const steps: string[] = [];

/** Opens a driver. What no network needs any more goes at once, so that it can be seen to be gone. */
async function open(): Promise<Connection> {
  const [etc, varFolder, runFolder] = ['etc/vnet', 'var/lib/vnet', 'run/vnet'].map((folder) => join(order.root, folder)) as [string, string, string];
  await prepareFolder(runFolder, 0o755);
  const store = await openFileStore({ etc, run: runFolder });
  const host = await openLinuxHost({ varFolder, runFolder, dnsmasqUser: '', resolvConf: '/etc/resolv.conf', lingerMs: 0, log: silentLog });
  return new Connection({ uri: '', driver: await openHostDriver(host, store, silentLog), close: () => host.close() });
}

/** Stands at the points from here on. */
function arm(fault: Order['fault']): void {
  let met = 0;
  const watcher: Watcher = (full) => {
    const step = full.replaceAll(order.root, '');
    steps.push(step);
    if (fault === undefined || (fault.step ?? step) !== step || ++met !== fault.nth) return;
    if (fault.effect === 'kill') process.kill(process.pid, 'SIGKILL');
    throw new Error('made up: no space left on device');
  };
  (globalThis as { [watcherKey]?: Watcher })[watcherKey] = watcher;
}

function disarm(): void {
  delete (globalThis as { [watcherKey]?: Watcher })[watcherKey];
}

/** All that the driver knows of its networks, but for times and the bystander. */
async function tell(connection: Connection): Promise<Told> {
  const told: Told = {};
  for (const { network, active, persistent, autostart } of await connection.listAllNetworks()) {
    if (network.name === bystander.name) continue;
    const ports = await Promise.all((active ? await network.ports() : []).map(async (port) => ({ ...await port.describe(), parameters: await port.parameters() })));
    const revisions = persistent ? (await network.history()).map(({ revision, cause, current }) => ({ revision, cause, current })) : [];
    told[network.name] = {
      uuid: network.uuid, active, persistent, autostart, ports, revisions, xml: await network.dumpXml(), saved: persistent ? await network.dumpXml({ inactive: true }) : '',
    };
  }
  return told;
}

async function clean(connection: Connection): Promise<void> {
  for (const { network, active, persistent } of await connection.listAllNetworks()) {
    if (network.name === bystander.name) continue;
    if (active) await network.destroy({ force: true });
    if (persistent) await network.undefine();
  }
  // The versions of what was defined outlive it, as they should.
  await rm(join(order.root, 'etc/vnet/networks/history'), { recursive: true, force: true });
}

/** Carries out an operation. Gives what it failed with. */
async function attempt(connection: Connection | undefined, name: string): Promise<{ connection: Connection; error?: string }> {
  const { call } = operations[name]!;
  try {
    if (call === undefined || connection === undefined) return { connection: await open() };
    await call(connection);
    return { connection };
  } catch (error) {
    disarm();
    return { connection: connection ?? await open(), error: error instanceof Error ? error.message : String(error) };
  }
}

function say(said: Said): void {
  process.stdout.write(`${JSON.stringify(said)}\n`);
}

async function main(): Promise<void> {
  if (order.run === undefined && order.fault !== undefined) arm(order.fault);
  let connection: Connection | undefined = await open();
  disarm();
  let error: string | undefined;
  if (order.prepare !== undefined) await operations[order.prepare]!.prepare(connection);
  if (order.run !== undefined) {
    if (operations[order.run]!.call === undefined) {
      await connection.close();
      await rm(join(order.root, 'run/vnet/autostarted'), { force: true });
      connection = undefined;
    }
    arm(order.fault);
    ({ connection, error } = await attempt(connection, order.run));
    disarm();
  }
  say({ steps, ...(error === undefined ? {} : { error }), told: await tell(connection) });
  for await (const line of createInterface({ input: process.stdin })) {
    const word = JSON.parse(line) as Word;
    if (word === 'end') break;
    if (word === 'clean') await clean(connection);
    else ({ error } = await attempt(connection, word.again));
    say({ steps: [], ...(error === undefined ? {} : { error }), told: await tell(connection) });
  }
  await connection.close();
  process.stdin.destroy();
}

await main();
