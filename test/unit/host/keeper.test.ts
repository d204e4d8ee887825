/** A dnsmasq that ended is started again, but not one that was meant to end, nor over and over. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { HostEvent, NetworkPlan } from '../../../server/driver/host.js';
import type { DnsmasqFiles } from '../../../server/host/dnsmasq/conf.js';
import { openKeeper, type Keeper } from '../../../server/host/dnsmasq/keeper.js';
import { silentLog } from '../../../server/log.js';
import { until } from '../../processes.js';

const plan = { uuid: 'u', name: 'lab' } as NetworkPlan;
let folder: string;
let files: DnsmasqFiles;
let keeper: Keeper;
let running: ChildProcess | undefined;
let starts: number;
let told: HostEvent[];
/** How much later it is for the keeper than it is. */
let laterMs: number;
/** What a start fails with. */
let broken: Error | undefined;

/** Stands in for a dnsmasq: it has the command line and writes its pid. */
async function start(): Promise<void> {
  starts += 1;
  if (broken !== undefined) throw broken;
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', '--', `--conf-file=${files.conf}`], { stdio: 'ignore' });
  running = child;
  await new Promise((resolve) => child.once('spawn', resolve));
  await writeFile(files.pid, `${child.pid}\n`);
}

/** Ends it as an accident does. */
async function crash(): Promise<void> {
  const ended = new Promise((resolve) => running!.once('exit', resolve));
  running!.kill('SIGKILL');
  await ended;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vnet-keeper-'));
  files = { conf: join(folder, 'lab.conf'), pid: join(folder, 'lab.pid'), hosts: '', names: '', leases: '', servers: '' };
  [starts, told, broken, laterMs] = [0, [], undefined, 0];
  keeper = openKeeper(start, (event) => told.push(event), silentLog, () => performance.now() + laterMs);
  await start();
  starts = 0;
  await keeper.guard(plan, files);
});
afterEach(async () => {
  await keeper.release(plan);
  if (running?.exitCode === null && running.signalCode === null) await crash();
  await rm(folder, { recursive: true });
});

it('it is started again within two seconds, and later the next time', async () => {
  await crash();
  await until('the first start', async () => told.length === 1, 2000);
  expect(told).toEqual([{ kind: 'repaired', network: 'u', part: 'dnsmasq', what: 'dnsmasq' }]);
  const again = performance.now();
  await crash();
  await until('the second start', async () => told.length === 2, 4000);
  expect(performance.now() - again).toBeGreaterThan(500);
  expect(starts).toBe(2);
});

it('a failure is told once, and tried again', async () => {
  broken = new Error('no bridge');
  await crash();
  await until('two attempts', async () => starts === 2, 5000);
  expect(told).toEqual([{ kind: 'failed', network: 'u', part: 'dnsmasq', what: 'dnsmasq ended and cannot be started again: no bridge' }]);
  broken = undefined;
  await until('the start', async () => told.length === 2, 8000);
  expect(told[1]).toMatchObject({ kind: 'repaired' });
});

it('one that was meant to end is left alone', async () => {
  await keeper.release(plan);
  await crash();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect([starts, told]).toEqual([0, []]);
});

it('F7: a network whose dnsmasq ends five times in a minute is degraded, said once, and healthy again when it stays up', async () => {
  for (let i = 1; i <= 6; i += 1) {
    await crash();
    await until(`start ${i}`, async () => told.filter(({ kind }) => kind === 'repaired').length === i, 4000);
    // The rest before the next start, which is twice as long each time, has passed.
    laterMs += i < 5 ? 8000 : 17_000;
  }
  const failed = told.filter(({ kind }) => kind === 'failed');
  expect(failed).toEqual([{ kind: 'failed', network: 'u', part: 'dnsmasq', what: expect.stringMatching(/^dnsmasq ended 5 times within 60 seconds/) }]);
  expect(told.indexOf(failed[0]!)).toBe(4);
  expect(told.some(({ kind }) => kind === 'recovered')).toBe(false);
  // A start mends what a degraded network lacked, but the network is degraded all the same.
  expect(told.map((event) => event.kind === 'repaired' && event.still !== undefined)).toEqual([false, false, false, false, false, true, true]);
  laterMs += 61_000;
  await until('health', async () => told.length === 8, 4000);
  expect(told[7]).toEqual({ kind: 'recovered', network: 'u', part: 'dnsmasq', what: 'healthy again: dnsmasq stays up' });
}, 40_000);

it('what was wrong is told to be over when another takes its place', async () => {
  broken = new Error('no bridge');
  await crash();
  await until('the failure', async () => told.length === 1, 5000);
  await keeper.release(plan);
  broken = undefined;
  await start();
  await keeper.guard(plan, files);
  expect(told[1]).toMatchObject({ kind: 'recovered', network: 'u', part: 'dnsmasq' });
  await keeper.release(plan);
  await keeper.guard(plan, files);
  expect(told).toHaveLength(2);
});

it('F7: one that ends as often in a longer time is not degraded', async () => {
  for (let i = 1; i <= 5; i += 1) {
    await crash();
    await until(`start ${i}`, async () => told.length === i, 4000);
    laterMs += 20_000;
  }
  expect(told.every(({ kind }) => kind === 'repaired')).toBe(true);
}, 40_000);
