/** `vnet status` and the metrics of a daemon: what it repaired, what is degraded, and which definitions are damaged. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openConnection, type Connection } from '../../client/connection.js';
import { scrape } from '../metrics.js';
import { dist, startDaemon, until, type Daemon } from '../processes.js';
import { openLab, runProgram, type Lab } from './lab.js';

/** What the project promises, in milliseconds; a machine that is busy with other tests gets longer. */
const mendedWithinMs = 4000;
const document = (name: string, n: number) => `<network><name>${name}</name><forward mode='nat'/><bridge name='lab-st${n}'/>
  <ip address='10.78.${n}.1' prefix='24'><dhcp><range start='10.78.${n}.10' end='10.78.${n}.99'/></dhcp></ip></network>`;

let lab: Lab;
let daemon: Daemon;
let connection: Connection;

async function start(): Promise<void> {
  daemon = await startDaemon(['--root', lab.folder]);
  connection = await openConnection(daemon.uris['unix']!);
}

async function stop(): Promise<void> {
  await connection.close();
  await daemon.stop();
}

beforeEach(async () => {
  lab = await openLab();
  await start();
  await writeFile(join(lab.folder, 'etc/vnet/vnetd.toml'), '[metrics]\nlisten = "127.0.0.1:0"\n');
  await stop();
  await start();
}, 120_000);
afterEach(async () => {
  for (const { network } of await connection.listAllNetworks({ active: true })) await network.destroy();
  await stop();
  await lab.close();
}, 60_000);

const vnet = (...words: string[]) => runProgram(process.execPath, [join(dist, 'bin/vnet.js'), '-c', daemon.uris['unix']!, ...words]);
const records = async (...words: string[]) => JSON.parse(await vnet('status', '-o', 'json', ...words)) as
  { kind: string; name: string; health?: string; faults?: { part: string; message: string }[]; repairs?: { part: string; count: number }[]; path?: string }[];
const repairs = async (what: string) => (await scrape(daemon)).value('vnetd_repairs_total', { what });

it('F7: a dnsmasq that is killed is a repair in the status, the metrics and the log; five times make the network degraded', async () => {
  const { network } = await connection.defineXml(document('st1', 61));
  await network.start();
  expect(await records('st1')).toMatchObject([{ name: 'st1', active: true, health: 'healthy', repairs: [] }]);
  expect(await repairs('dnsmasq')).toBe(0);
  const pid = async () => Number(await readFile(join(lab.folder, 'run/vnet/dnsmasq/st1.pid'), 'utf8'));
  const kill = async (times: number, withinMs: number) => {
    process.kill(await pid(), 'SIGKILL');
    await until(`repair ${times}`, async () => (await network.status()).repairs[0]?.count === times, withinMs);
  };
  await kill(1, mendedWithinMs);
  expect(await records('st1')).toMatchObject([{ health: 'healthy', faults: [], repairs: [{ part: 'dnsmasq', what: 'dnsmasq', count: 1 }] }]);
  expect(await repairs('dnsmasq')).toBe(1);
  expect((await scrape(daemon)).value('vnetd_networks_degraded')).toBe(0);
  expect(daemon.log).toContainEqual(expect.objectContaining({ network: 'st1', msg: 'dnsmasq of a network ended: started again' }));
  // Each start waits twice as long as the one before: the fifth end is within the minute.
  for (let times = 2; times <= 5; times += 1) await kill(times, 2 ** times * 1000 + mendedWithinMs);
  expect(await records('st1')).toMatchObject([{ health: 'degraded', faults: [{ part: 'dnsmasq', message: expect.stringMatching(/^dnsmasq ended 5 times within 60 seconds/) }] }]);
  expect((await scrape(daemon)).value('vnetd_networks_degraded')).toBe(1);
  expect(await vnet('status')).toMatch(/^ default +inactive +healthy.*\n st1 +active +degraded +\S+Z +dnsmasq ended 5 times[^]*\n st1 +dnsmasq +5 +\S+Z +dnsmasq\n/m);
  // What is started anew is well.
  await network.destroy();
  await network.start();
  expect(await records('st1')).toMatchObject([{ health: 'healthy', faults: [], repairs: [{ count: 5 }] }]);
}, 120_000);

it('every kind of repair is counted under its own name', async () => {
  const { network } = await connection.defineXml(document('st2', 62));
  await network.start();
  await runProgram('ip', ['addr', 'del', '10.78.62.1/24', 'dev', 'lab-st62']);
  await until('the bridge', async () => await repairs('bridge') === 1);
  await runProgram('nft', ['flush', 'ruleset']);
  await until('the rules', async () => await repairs('firewall') === 1);
  await runProgram('sysctl', ['-qw', 'net.ipv4.ip_forward=0']);
  await until('forwarding', async () => await repairs('forwarding') === 1);
  expect((await network.status()).repairs.map(({ part, what, count }) => [part, what, count])).toEqual([
    ['forwarding', 'forwarding', 1], ['firewall', 'firewall rules', 1], ['bridge', 'bridge lab-st62: address 10.78.62.1/24 missing', 1],
  ]);
  expect(await repairs('dnsmasq')).toBe(0);
}, 60_000);

it('what was lost while no daemon ran is counted too', async () => {
  const { network } = await connection.defineXml(document('st3', 63));
  await network.start();
  const pid = Number(await readFile(join(lab.folder, 'run/vnet/dnsmasq/st3.pid'), 'utf8'));
  await stop();
  process.kill(pid, 'SIGKILL');
  await start();
  expect(await records('st3')).toMatchObject([{ health: 'healthy', repairs: [{ part: 'dnsmasq', count: 1 }] }]);
  expect(await repairs('dnsmasq')).toBe(1);
}, 60_000);

it('a definition that is damaged by hand is told of, and kept beside the one that takes its place', async () => {
  const file = join(lab.folder, 'etc/vnet/networks/st4.xml');
  await connection.defineXml(document('st4', 64));
  await connection.defineXml(document('st5', 65));
  const damaged = (await readFile(file, 'utf8')).slice(0, -40);
  await stop();
  await writeFile(file, damaged);
  await start();
  expect(await connection.listAllNetworks().then((all) => all.map(({ network }) => network.name))).toEqual(['default', 'st5']);
  expect((await records()).filter(({ kind }) => kind === 'damaged-file')).toEqual([{ kind: 'damaged-file', path: file, name: 'st4', message: expect.any(String), advice: expect.any(String) }]);
  expect(await vnet('status', 'st4')).toContain(file);
  expect(await readFile(file, 'utf8')).toBe(damaged);
  await connection.defineXml(document('st4', 64));
  expect(await readFile(`${file}.damaged-1`, 'utf8')).toBe(damaged);
  expect(daemon.log).toContainEqual(expect.objectContaining({ network: 'st4', kept: `${file}.damaged-1` }));
  expect((await records()).filter(({ kind }) => kind === 'damaged-file')).toEqual([]);
}, 60_000);
