/** The fault tests of the reference that concern what is around a daemon: the host's own network, rights that are missing, files that somebody spoiled, clients that vanish. */
import { spawn } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openConnection, type Connection } from '../../client/connection.js';
import { dist, startDaemon, until, type Daemon } from '../processes.js';
import { addresses, openLab, runProgram, type Lab } from './lab.js';

const document = `<network><name>around</name><uuid>4b6bd1a5-3c5e-4f0e-9fe0-000000000001</uuid><forward mode='nat'/>
  <bridge name='lab-around' stp='off' delay='0'/><mac address='52:54:00:11:0e:01'/>
  <ip address='10.87.1.1' prefix='24'><dhcp><range start='10.87.1.10' end='10.87.1.20'/></dhcp></ip></network>`;

let lab: Lab;
let daemon: Daemon;
let connection: Connection;

async function open(command?: string[]): Promise<void> {
  daemon = await startDaemon(['--root', lab.folder], command);
  connection = await openConnection(daemon.uris['unix']!);
}

beforeEach(async () => { lab = await openLab(); }, 60_000);
afterEach(async () => {
  for (const { network, active } of await connection.listAllNetworks()) if (active) await network.destroy();
  await connection.close();
  await daemon.stop();
  await lab.close();
});

async function start() {
  const { network } = await connection.defineXml(document);
  await network.start();
  return network;
}

/** What stands of networks. */
async function standing(): Promise<unknown> {
  const links = (JSON.parse(await runProgram('ip', ['-json', 'link'])) as { ifname: string }[]).map(({ ifname }) => ifname).filter((name) => name.startsWith('lab-'));
  return { links, rules: await runProgram('nft', ['--stateless', 'list', 'ruleset']), pids: await readdir(join(lab.folder, 'run/vnet/dnsmasq')), records: await readdir(join(lab.folder, 'run/vnet/networks')) };
}

it('F22: the host\'s address changes while guests are behind it: they leave by the new one', async () => {
  await open();
  await start();
  const guest = await lab.guest('lab-around', 'moving');
  await guest.lease();
  expect(await guest.reach(addresses.outside.ipv4)).toMatchObject({ reached: true, seen: { address: addresses.up0.ipv4 } });
  await runProgram('ip', ['-batch', '-'], 'addr add 198.51.100.77/24 dev up0\naddr del 198.51.100.1/24 dev up0\naddr add 198.51.100.77/24 dev up0\nroute replace default via 198.51.100.254\n').catch(() => undefined);
  await runProgram('ip', ['addr', 'replace', '198.51.100.77/24', 'dev', 'up0']);
  await runProgram('ip', ['route', 'replace', 'default', 'via', addresses.outside.ipv4]);
  expect(await guest.reach(addresses.outside.ipv4)).toMatchObject({ reached: true, seen: { address: '198.51.100.77' } });
  await guest.close();
}, 60_000);

it('F22: a network of the host that comes to overlap stops nothing, and the doctor names it', async () => {
  await open();
  const network = await start();
  await runProgram('ip', ['addr', 'add', '10.87.0.1/16', 'dev', 'up1']);
  expect(await network.isActive()).toBe(true);
  const found = await network.diagnose();
  expect(found.filter(({ check }) => check === 'overlap')).toMatchObject([{ message: expect.stringContaining('up1') }]);
  await runProgram('ip', ['addr', 'del', '10.87.0.1/16', 'dev', 'up1']);
}, 60_000);

it('F27: a daemon without the right to change networks starts, says what it lacks, and a start leaves nothing', async () => {
  await open(['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin', process.execPath]);
  const { network } = await connection.defineXml(document);
  const before = await standing();
  await expect(network.start()).rejects.toThrow(/not permitted|must be root/i);
  expect(await standing()).toEqual(before);
  expect(await connection.listAllNetworks({ active: true })).toEqual([]);
  expect((await connection.diagnose()).filter(({ severity }) => severity === 'error')).not.toEqual([]);
}, 60_000);

it.each<[string, (file: string) => Promise<unknown>]>([
  ['emptied', (file) => writeFile(file, '')],
  ['filled with a hundred megabytes of noise', (file) => writeFile(file, Buffer.alloc(100 * 1024 * 1024, 'x\n'))],
  ['filled with zero bytes', (file) => writeFile(file, Buffer.alloc(4096))],
])('F28: a file of leases that was %s costs nobody an address, and is whole again with the next guest', async (_, spoil) => {
  await open();
  const network = await start();
  const guest = await lab.guest('lab-around', 'first', { mac: '52:54:00:22:0e:01' });
  const { address } = await guest.lease();
  await spoil(join(lab.folder, 'var/lib/vnet/dnsmasq/around.leases'));
  expect(await connection.listAllNetworks({ active: true })).toHaveLength(1);
  await network.leases();
  const other = await lab.guest('lab-around', 'second', { mac: '52:54:00:22:0e:02' });
  expect((await other.lease()).address).not.toBe(address);
  await until('both leases', async () => (await network.leases()).length === 2);
  await guest.close();
  await other.close();
}, 90_000);

it('F28: a file of leases that was removed costs nobody an address; dnsmasq writes it again when it is started again', async () => {
  await open();
  const network = await start();
  const guest = await lab.guest('lab-around', 'first', { mac: '52:54:00:22:0e:01' });
  const { address } = await guest.lease();
  await rm(join(lab.folder, 'var/lib/vnet/dnsmasq/around.leases'));
  const other = await lab.guest('lab-around', 'second', { mac: '52:54:00:22:0e:02' });
  expect((await other.lease()).address).not.toBe(address);
  expect(await network.leases()).toEqual([]);
  await other.close();
  await guest.close();
  await network.destroy();
  await network.start();
  const third = await lab.guest('lab-around', 'third', { mac: '52:54:00:22:0e:03' });
  await third.lease();
  await until('its lease', async () => (await network.leases()).length === 1);
  await third.close();
}, 90_000);

it('F24: a client that is killed while it waits leaves a call that is done in full, or not at all', async () => {
  await open();
  const { network } = await connection.defineXml(document);
  for (const afterMs of [120, 160, 200, 240]) {
    const child = spawn(process.execPath, [join(dist, 'bin/vnet.js'), '-c', daemon.uris['unix']!, 'start', 'around'], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const began = performance.now();
    await until('its time', async () => performance.now() - began > afterMs);
    child.kill('SIGKILL');
    await ended;
    // The next call on the network waits for the one under way.
    if (!await network.isActive()) await network.start().catch((error: Error) => expect(error.message).toContain('already active'));
    expect((await standing() as { links: string[] }).links).toEqual(['lab-around']);
    expect(JSON.parse(await readFile(join(lab.folder, 'run/vnet/networks/4b6bd1a5-3c5e-4f0e-9fe0-000000000001.json'), 'utf8'))).toMatchObject({ state: 'running' });
    await network.destroy();
  }
}, 60_000);
