import { mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileStore } from '../../../server/driver/file-store.js';
import type { LiveRecord, PortRecord } from '../../../server/driver/store.js';

let root: string;
beforeEach(async () => { root = await mkdtemp(join(tmpdir(), 'vnet-store-')); });
afterEach(() => rm(root, { recursive: true }));
const open = () => openFileStore({ etc: join(root, 'etc'), run: join(root, 'run') });
const live: LiveRecord = { uuid: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a001', name: 'a', bridge: 'virbr0', state: 'running', xml: '<network/>' };

describe('the file store', () => {
  it('is fresh once', async () => {
    expect(await (await open()).load()).toEqual({ fresh: true, autostarted: false, saved: [], live: [], ports: [], problems: [] });
    expect((await (await open()).load()).fresh).toBe(false);
  });

  it('gives back what it was given', async () => {
    const store = await open();
    await store.saveDefinition('a b "c"', '<network/>\n');
    await store.setAutostart('a b "c"', true);
    await store.saveLive(live);
    await store.markAutostarted();
    const { saved, live: records, autostarted, problems } = await (await open()).load();
    expect(saved).toEqual([{ name: 'a b "c"', xml: '<network/>\n', autostart: true }]);
    expect(records).toEqual([live]);
    expect(autostarted).toBe(true);
    expect(problems).toEqual([]);
    expect(await readlink(join(root, 'etc/networks/autostart/a b "c".xml'))).toBe('../a b "c".xml');
    expect((await stat(join(root, 'etc/networks/a b "c".xml'))).mode & 0o777).toBe(0o600);
  });

  it('keeps ports by the UUIDs of both, with what is plugged in', async () => {
    const store = await open();
    const port: PortRecord = {
      uuid: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a00a', network: live.uuid, xml: '<networkport/>', state: 'unplugged',
      attachment: { type: 'tap', device: 'vnet0', owner: 'qemu', group: '', queues: 2 },
    };
    const { attachment: _, ...bare } = port;
    const elsewhere: PortRecord = { ...bare, network: live.uuid.replace(/1$/, '2'), state: 'plugged' };
    await store.savePort({ ...port, state: 'adding' });
    await store.savePort(port);
    await store.savePort(elsewhere);
    expect((await (await open()).load()).ports).toEqual([port, elsewhere]);
    await store.removePort(port.network, port.uuid);
    await store.removePort(port.network, port.uuid);
    expect((await (await open()).load()).ports).toEqual([elsewhere]);
    await expect(store.savePort({ ...port, network: '../x' })).rejects.toThrow(/cannot be a file's name/);
  });

  it('removes a definition with its autostart mark, and removes nothing without complaint', async () => {
    const store = await open();
    await store.saveDefinition('a', '<network/>');
    await store.setAutostart('a', true);
    await store.setAutostart('a', true);
    await store.removeDefinition('a');
    await store.removeDefinition('a');
    await store.removeLive(live.uuid);
    expect(await readdir(join(root, 'etc/networks'))).toEqual(['autostart']);
    expect(await readdir(join(root, 'etc/networks/autostart'))).toEqual([]);
  });

  it('leaves no trace of a write that fails, and keeps the old content', async () => {
    const store = await open();
    await store.saveDefinition('a', 'old');
    await rm(join(root, 'etc/networks/autostart'), { recursive: true });
    await expect(store.setAutostart('a', true)).rejects.toMatchObject({ code: 38, message: expect.stringContaining("cannot change autostart of network 'a'") });
    expect(await readdir(join(root, 'etc/networks'))).toEqual(['a.xml']);
    expect(await readFile(join(root, 'etc/networks/a.xml'), 'utf8')).toMatch(/old$/);
  });

  it('clears files that never got in place', async () => {
    await open();
    await writeFile(join(root, 'etc/networks/.a.xml.1234.tmp'), 'half');
    const store = await open();
    expect((await store.load()).saved).toEqual([]);
    expect(await readdir(join(root, 'etc/networks'))).toEqual(['autostart']);
  });

  it('clears the autostart mark of a network that was undefined when its daemon was killed', async () => {
    const store = await open();
    for (const name of ['a', 'b']) {
      await store.saveDefinition(name, '<network/>');
      await store.setAutostart(name, true);
    }
    // What a daemon leaves that is killed between the two.
    await rm(join(root, 'etc/networks/a.xml'));
    const again = await open();
    expect(await readdir(join(root, 'etc/networks/autostart'))).toEqual(['b.xml']);
    await again.saveDefinition('a', '<network/>');
    expect((await again.load()).saved.map(({ name, autostart }) => [name, autostart])).toEqual([['a', false], ['b', true]]);
  });

  it('reports what it cannot read and still gives the rest', async () => {
    const store = await open();
    await store.saveDefinition('good', '<network/>');
    await symlink('/etc/passwd', join(root, 'etc/networks/link.xml'));
    await writeFile(join(root, 'run/networks/half.json'), '{"version":1,');
    await writeFile(join(root, 'run/networks/new.json'), JSON.stringify({ ...live, version: 99 }));
    const { saved, live: records, problems } = await store.load();
    expect(saved.map(({ name }) => name)).toEqual(['good']);
    expect(records).toEqual([]);
    expect(problems).toHaveLength(3);
    expect(problems.join('\n')).toMatch(/link\.xml: it is no regular file/);
    expect(problems.join('\n')).toMatch(/new\.json: its format is version 99, of a later vnetd/);
  });

  it.each(['..', '.', '', 'a/b', '../../etc/passwd', 'a\nb', 'a\0b', 'x'.repeat(201)])('refuses the name %j', async (name) => {
    await expect((await open()).saveDefinition(name, 'x')).rejects.toMatchObject({ code: 35 });
    expect(await readdir(root)).toEqual(['etc', 'run']);
  });
});
