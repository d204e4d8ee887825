/** The fault tests of the reference that concern the clock: it is set a year forward and a year back beside a daemon and a guest. */
import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openConnection, type Connection } from '../../client/connection.js';
import { EventKind, type WatchNetworkEventsResponse } from '../../shared/gen/vnet/v1/network_driver.js';
import { startDaemon, until, type Daemon } from '../processes.js';
import { addresses, openLab, runProgram, type Lab } from './lab.js';

/** The library that tells a program another time; Debian has it in the package `faketime`. */
const library = readdirSync('/usr/lib').map((folder) => `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`).find((path) => existsSync(path));

const document = `<network><name>clock</name><forward mode='nat'/><bridge name='lab-clock' stp='off' delay='0'/>
  <ip address='10.86.1.1' prefix='24'><dhcp><range start='10.86.1.10' end='10.86.1.20'/></dhcp></ip></network>`;

const dayMs = 24 * 60 * 60 * 1000;

/** How long a repair may take on a machine that is busy, in milliseconds. */
const mendedWithinMs = 6000;

let lab: Lab;
let daemon: Daemon;
let connection: Connection;
let came: WatchNetworkEventsResponse[];
let watching: Promise<void>;
const clock = () => join(lab.folder, 'clock');

beforeEach(async () => {
  lab = await openLab();
  await writeFile(clock(), '+0');
  daemon = await startDaemon(['--root', lab.folder], [
    'env', `LD_PRELOAD=${library}`, `FAKETIME_TIMESTAMP_FILE=${clock()}`, 'FAKETIME_NO_CACHE=1', 'FAKETIME_DONT_FAKE_MONOTONIC=1', process.execPath,
  ]);
  connection = await openConnection(daemon.uris['unix']!);
  came = [];
  watching = (async () => { for await (const event of connection.watch()) came.push(event); })();
}, 60_000);
afterEach(async () => {
  await (await connection.lookupByName('clock')).destroy();
  await connection.close();
  await watching;
  await daemon.stop();
  await lab.close();
});

it.skipIf(library === undefined)('F19: the clock set forward and back ends no lease, stops no repair and no answer', async () => {
  const { network } = await connection.defineXml(document);
  await network.start();
  const guest = await lab.guest('lab-clock', 'timeless');
  const { address } = await guest.lease();
  const leases = () => readFile(join(lab.folder, 'var/lib/vnet/dnsmasq/clock.leases'), 'utf8');
  await until('the lease', async () => (await network.leases()).length === 1);
  const written = await leases();
  for (const offset of ['+365d', '-365d', '+0']) {
    await writeFile(clock(), offset);
    const before = came.length;
    const pid = Number(await readFile(join(lab.folder, 'run/vnet/dnsmasq/clock.pid'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    await until(`dnsmasq is back at ${offset}`, async () => came.slice(before).some(({ kind, detail }) => kind === EventKind.REPAIRED && detail === 'dnsmasq'), mendedWithinMs);
    // The kernel's own time has not changed: that of the event shows that the daemon's has.
    expect(`${Math.round((came.at(-1)!.timeMs - Date.now()) / dayMs)}d`).toBe(offset.replace('+', '').replace(/^0$/, '0d'));
    expect(await connection.listAllNetworks({ active: true })).toHaveLength(1);
    expect(await leases()).toBe(written);
    expect(await guest.reach(addresses.outside.ipv4)).toMatchObject({ reached: true });
  }
  expect((await network.leases()).map(({ ipAddress }) => ipAddress)).toEqual([address]);
  expect(await runProgram('nft', ['list', 'table', 'inet', 'vnet'])).toContain('lab-clock');
  await guest.close();
}, 120_000);
