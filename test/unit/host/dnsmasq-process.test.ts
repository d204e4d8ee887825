/** A dnsmasq is known by its command line as well as by its pid: a number that is another program's by now is never signalled. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findProcess, reloadProcess, stopProcess } from '../../../server/host/dnsmasq/process.js';

let folder: string;
let other: ChildProcess;
const traces = () => ({ conf: join(folder, 'net.conf'), pid: join(folder, 'net.pid') });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vnet-process-'));
  // SIGHUP, SIGTERM and SIGKILL would each end it.
  other = spawn('sleep', ['60'], { stdio: 'ignore' });
  await new Promise((resolve) => other.once('spawn', resolve));
});
afterEach(async () => {
  const ended = new Promise((resolve) => other.once('exit', resolve));
  other.kill('SIGKILL');
  await ended;
  await rm(folder, { recursive: true });
});

const lives = () => other.exitCode === null && other.signalCode === null && process.kill(other.pid!, 0);

it('F8: a pid that another program has got is not signalled, neither to read its files nor to end', async () => {
  await writeFile(traces().pid, `${other.pid}\n`);
  expect(await findProcess(traces())).toBeUndefined();
  await reloadProcess(traces());
  await stopProcess(traces());
  expect(lives()).toBe(true);
});

it.each(['', 'x', '-1', '0', '99999999999', '1 2', `${'9'.repeat(400)}`])('F8: a file of a pid that says %j names no process', async (text) => {
  await writeFile(traces().pid, text);
  expect(await findProcess(traces())).toBeUndefined();
  await stopProcess(traces());
  expect(lives()).toBe(true);
});
