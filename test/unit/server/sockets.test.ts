/** The unix sockets in the file system: whose they are and who may open them, at every moment, and what was there before. */
import { lstat, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { Server as SocketServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { defaultConfig } from '../../../server/config.js';
import { Connections } from '../../../server/connections.js';
import { openListeners, type Listener } from '../../../server/listen.js';
import { silentLog } from '../../../server/log.js';
import { Reloads } from '../../../server/reload.js';
import { openFolder } from '../../processes.js';

let folder: Awaited<ReturnType<typeof openFolder>>;
let mask: number;
beforeEach(async () => {
  folder = await openFolder();
  // The most careless that a daemon can be started with.
  mask = process.umask(0);
});
afterEach(async () => {
  process.umask(mask);
  vi.restoreAllMocks();
  await folder.close();
});

const at = (name: string) => join(folder.path, 'run/vnet', name);
const modeOf = async (name: string) => ((await lstat(at(name))).mode & 0o7777).toString(8);

async function open(): Promise<Listener[]> {
  const config = defaultConfig(folder.path);
  config.unix.peerCredentials = 'off';
  const reloads = new Reloads(config, async () => config, silentLog);
  return openListeners(config, new Connections(), () => undefined, reloads, silentLog);
}

it('T23: nobody else can open one between its making and its mode, whatever the umask, and then those alone for whom it is', async () => {
  const masks: number[] = [];
  const listen = SocketServer.prototype.listen as (...argv: unknown[]) => SocketServer;
  vi.spyOn(SocketServer.prototype, 'listen').mockImplementation(function (this: SocketServer, ...argv: unknown[]) {
    const now = process.umask(0);
    process.umask(now);
    masks.push(now);
    return listen.apply(this, argv);
  });
  for (let start = 0; start < 2; start += 1) {
    const listeners = await open();
    expect([await modeOf('vnet.sock'), await modeOf('vnet-ro.sock'), await modeOf('')]).toEqual(['660', '666', '755']);
    await Promise.all(listeners.map((listener) => listener.close(0)));
  }
  expect(masks).toEqual([0o177, 0o177, 0o177, 0o177]);
  expect(process.umask(0)).toBe(0);
});

it.each(['vnet.sock', 'vnet-ro.sock'])('T23: a link at the place of %s is left alone, with what it leads to', async (name) => {
  await mkdir(at(''), { recursive: true, mode: 0o755 });
  const precious = join(folder.path, 'precious');
  await writeFile(precious, 'precious', { mode: 0o600 });
  for (const target of [precious, join(folder.path, 'made-elsewhere')]) {
    await symlink(target, at(name));
    await expect(open()).rejects.toThrow(/is no socket: it is left alone/);
    expect((await lstat(at(name))).isSymbolicLink()).toBe(true);
    await rm(at(name));
  }
  expect([await readFile(precious, 'utf8'), (await stat(precious)).mode & 0o777]).toEqual(['precious', 0o600]);
  await expect(stat(join(folder.path, 'made-elsewhere'))).rejects.toThrow(/ENOENT/);
});
