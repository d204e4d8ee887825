import { symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileStore } from '../../../server/driver/file-store.js';
import type { LiveRecord, PortRecord } from '../../../server/driver/store.js';
import { watcherKey, type Watcher } from '../../../server/step.js';

let root: string;
beforeEach(async () => { root = await mkdtemp(join(tmpdir(), 'vnet-store-')); });
afterEach(() => rm(root, { recursive: true }));
const open = () => openFileStore({ etc: join(root, 'etc'), run: join(root, 'run') });
const live: LiveRecord = { uuid: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a001', name: 'a', bridge: 'virbr0', state: 'running', xml: '<network/>' };

describe('the file store', () => {
  it('is fresh once', async () => {
    expect(await (await open()).load()).toEqual({ fresh: true, autostarted: false, saved: [], live: [], ports: [] });
    expect((await (await open()).load()).fresh).toBe(false);
  });

  it('gives back what it was given', async () => {
    const store = await open();
    await store.saveDefinition('a b "c"', '<network/>\n');
    await store.setAutostart('a b "c"', true);
    await store.saveLive(live);
    await store.markAutostarted();
    const again = await open();
    const { saved, live: records, autostarted } = await again.load();
    expect(saved).toEqual([{ name: 'a b "c"', xml: '<network/>\n', autostart: true }]);
    expect(records).toEqual([live]);
    expect(autostarted).toBe(true);
    expect(await again.damaged()).toEqual([]);
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

  it('T32: reports what it cannot read and still gives the rest', async () => {
    const store = await open();
    await store.saveDefinition('good', '<network/>');
    await symlink('/etc/passwd', join(root, 'etc/networks/link.xml'));
    await writeFile(join(root, 'run/networks/half.json'), '{"version":1,');
    await writeFile(join(root, 'run/networks/new.json'), JSON.stringify({ ...live, version: 99 }));
    const { saved, live: records } = await store.load();
    expect(saved.map(({ name }) => name)).toEqual(['good']);
    expect(records).toEqual([]);
    expect((await store.damaged()).map(({ path, network, why }) => [path.slice(root.length), network, why])).toEqual([
      ['/etc/networks/link.xml', 'link', 'it is no regular file'],
      ['/run/networks/half.json', undefined, expect.stringMatching(/JSON/)],
      ['/run/networks/new.json', undefined, expect.stringMatching(/^its format is version 99, of a later vnetd/)],
    ]);
  });

  describe('a damaged definition', () => {
    const etc = (name: string) => join(root, 'etc/networks', name);
    const version = { uuid: live.uuid, stamp: { revision: 1, timeMs: 1, cause: 'define' } };
    const damage = async () => {
      await open();
      await writeFile(etc('a.xml'), '<network><na');
      await symlink('../a.xml', etc('autostart/a.xml'));
      const store = await open();
      expect((await store.load()).saved).toMatchObject([{ name: 'a', autostart: true }]);
      store.reject('a', 'it ends too soon');
      return store;
    };

    it('is kept beside the one that takes its place, and is not reported any more', async () => {
      const store = await damage();
      await writeFile(etc('a.xml.damaged-1'), 'older');
      expect(await store.damaged()).toEqual([{ path: etc('a.xml'), network: 'a', why: 'it ends too soon', advice: expect.stringContaining('kept beside') }]);
      expect(await store.saveDefinition('a', '<new/>', version)).toBe(etc('a.xml.damaged-2'));
      expect(await readFile(etc('a.xml.damaged-2'), 'utf8')).toBe('<network><na');
      expect(await readFile(etc('a.xml.damaged-1'), 'utf8')).toBe('older');
      expect(await store.damaged()).toEqual([]);
      expect(await store.saveDefinition('a', '<newer/>', version)).toBeUndefined();
      // The new network has no mark; on the next start, what was kept is no definition.
      expect((await (await open()).load()).saved).toMatchObject([{ name: 'a', xml: '<newer/>', autostart: false }]);
      expect((await readdir(etc(''))).filter((name) => name.startsWith('a.xml'))).toEqual(['a.xml', 'a.xml.damaged-1', 'a.xml.damaged-2']);
    });

    it('stays where it is, with its mark, whichever step of the change fails', async () => {
      const global = globalThis as { [watcherKey]?: Watcher };
      for (let failing = 1; ; failing += 1) {
        const store = await damage();
        let steps = 0;
        global[watcherKey] = () => { if ((steps += 1) === failing) throw new Error('no space'); };
        const saved = await store.saveDefinition('a', '<new/>', version).then(() => true, () => false).finally(() => { delete global[watcherKey]; });
        if (saved) {
          expect(failing).toBeGreaterThan(5);
          break;
        }
        expect((await readdir(etc(''))).sort()).toEqual(['a.xml', 'autostart']);
        expect(await readFile(etc('a.xml'), 'utf8')).toBe('<network><na');
        expect(await readlink(etc('autostart/a.xml'))).toBe('../a.xml');
        expect(await store.damaged()).toHaveLength(1);
        await rm(join(root, 'etc'), { recursive: true });
      }
    });

    it('is not lost if the daemon is killed at whichever step of the change', async () => {
      const global = globalThis as { [watcherKey]?: Watcher };
      for (let last = 1, over = false; !over; last += 1) {
        const store = await damage();
        let steps = 0;
        // What comes after the kill, the way back too, is not done.
        global[watcherKey] = () => { if ((steps += 1) >= last) throw new Error('killed'); };
        over = await store.saveDefinition('a', '<new/>', version).then(() => true, () => false).finally(() => { delete global[watcherKey]; });
        const texts = await Promise.all((await readdir(etc(''))).filter((name) => name.startsWith('a.xml')).map((name) => readFile(etc(name), 'utf8')));
        expect(texts).toContain('<network><na');
        if (!texts.some((text) => text.includes('<new/>'))) expect(await readFile(etc('a.xml'), 'utf8')).toBe('<network><na');
        await rm(join(root, 'etc'), { recursive: true });
      }
    });

    it('that somebody took away is not reported, and nothing is kept of it', async () => {
      const store = await damage();
      await rm(etc('a.xml'));
      expect(await store.damaged()).toEqual([]);
      expect(await store.saveDefinition('a', '<new/>', version)).toBeUndefined();
      expect(await store.damaged()).toEqual([]);
    });
  });

  it.each(['..', '.', '', 'a/b', '../../etc/passwd', 'a\nb', 'a\0b', 'x'.repeat(201)])('T2: refuses the name %j', async (name) => {
    await expect((await open()).saveDefinition(name, 'x')).rejects.toMatchObject({ code: 35 });
    expect(await readdir(root)).toEqual(['etc', 'run']);
  });
});

describe('a hostile name', () => {
  afterEach(() => { delete (globalThis as { [watcherKey]?: Watcher })[watcherKey]; });

  it('T2: reaches no file outside the store, whatever is done with it', async () => {
    const store = await open();
    const outside = join(root, 'precious.xml');
    await writeFile(outside, 'precious');
    const touched: string[] = [];
    (globalThis as { [watcherKey]?: Watcher })[watcherKey] = (step) => void touched.push(step.replace(/^\w+ /, ''));
    const stamp = { revision: 1, timeMs: 1, cause: 'define' } as const;
    const names = ['..', '.', '', '../precious', '../../precious', 'a/../../precious', '/precious', `${root}/precious`, 'a\0b', 'a\nb', '%2e%2e', '..%2fprecious', 'x'.repeat(255), '\u202ea', '-rf', 'a.', '.a', 'a.tmp', 'a b', '~', '*'];
    const outcomes: boolean[] = [];
    for (const name of names) {
      for (const work of [
        () => store.saveDefinition(name, '<network/>', { uuid: live.uuid, stamp }), () => store.setAutostart(name, true), () => store.setAutostart(name, false), () => store.removeDefinition(name, live.uuid),
        () => store.saveDefinition('good', '<network/>', { uuid: name, stamp }), () => store.history(name), () => store.removeDefinition('good', name),
        () => store.saveLive({ ...live, uuid: name }), () => store.removeLive(name),
        () => store.savePort({ uuid: name, network: live.uuid, xml: '<x/>', state: 'plugged' }), () => store.savePort({ uuid: live.uuid, network: name, xml: '<x/>', state: 'plugged' }),
        () => store.removePort(name, live.uuid), () => store.removePort(live.uuid, name),
      ]) outcomes.push(await (async () => work())().then(() => true, () => false));
    }
    expect(await readFile(outside, 'utf8')).toBe('precious');
    expect((await readdir(root)).sort()).toEqual(['etc', 'precious.xml', 'run']);
    expect(new Set(outcomes)).toEqual(new Set([true, false]));
    const folders = [join(root, 'etc/networks'), join(root, 'run/networks'), join(root, 'run/ports')];
    expect(touched.map((path) => resolve(path)).filter((path) => !folders.some((folder) => path === folder || path.startsWith(`${folder}/`)))).toEqual([]);
    expect(touched.length).toBeGreaterThan(50);
  });

  it('T2: of a link leads nowhere: what it points at is neither written nor removed', async () => {
    const store = await open();
    const outside = join(root, 'precious');
    await writeFile(outside, 'precious');
    await symlink(outside, join(root, 'etc/networks/a.xml'));
    await symlink(outside, join(root, `run/networks/${live.uuid}.json`));
    await store.saveDefinition('a', '<network/>');
    await store.saveLive(live);
    await store.removeLive(live.uuid);
    await store.removeDefinition('a');
    expect(await readFile(outside, 'utf8')).toBe('precious');
  });
});

describe('after a power loss', () => {
  afterEach(() => { delete (globalThis as { [watcherKey]?: Watcher })[watcherKey]; });

  /** The steps of something, as the verb and the file below the root. */
  async function stepsOf(work: () => Promise<unknown>): Promise<string[]> {
    const steps: string[] = [];
    (globalThis as { [watcherKey]?: Watcher })[watcherKey] = (step) => void steps.push(step.replace(`${root}/`, ''));
    await work();
    return steps;
  }

  it('F4: what was acknowledged is there: a file is whole before it has its name, and its folder is flushed before the answer', async () => {
    const store = await open();
    expect(await stepsOf(() => store.saveDefinition('a', '<network/>'))).toEqual(['write etc/networks/a.xml', 'rename etc/networks/a.xml', 'flush etc/networks']);
    expect((await stepsOf(() => store.setAutostart('a', true))).slice(-2)).toEqual(['link etc/networks/autostart/a.xml', 'flush etc/networks/autostart']);
    expect(await stepsOf(() => store.setAutostart('a', false))).toEqual(['remove etc/networks/autostart/a.xml', 'flush etc/networks/autostart']);
    expect((await stepsOf(() => store.removeDefinition('a'))).slice(0, 2)).toEqual(['remove etc/networks/a.xml', 'flush etc/networks']);
  });

  it('F4: half a file is set aside, and hides no other', async () => {
    const store = await open();
    for (const name of ['a', 'b']) await store.saveDefinition(name, '<network/>', { uuid: live.uuid, stamp: { revision: 1, timeMs: 1, cause: 'define' } });
    await store.saveLive(live);
    await writeFile(join(root, `run/networks/${live.uuid}.json`), '{ "version": 1, "uu');
    const again = await open();
    const { saved, live: records } = await again.load();
    expect(saved.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(records).toEqual([]);
    expect(await again.damaged()).toHaveLength(1);
  });
});

it('F30: T32: sixteen thousand definitions are read, one in ten damaged, each of which is reported', async () => {
  await open();
  const count = 16_000;
  for (let n = 0; n < count; n += 1) {
    const file = join(root, `etc/networks/n${n}.xml`);
    if (n % 10 === 0) symlinkSync('/dev/zero', file);
    else writeFileSync(file, `<network><name>n${n}</name></network>`);
  }
  const began = performance.now();
  const store = await open();
  const { saved } = await store.load();
  expect([saved.length, (await store.damaged()).length]).toEqual([count * 0.9, count * 0.1]);
  expect(performance.now() - began).toBeLessThan(10_000);
}, 60_000);
