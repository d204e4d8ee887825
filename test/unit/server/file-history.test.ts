import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileStore } from '../../../server/driver/file-store.js';
import { ErrorCode } from '../../../shared/errors.js';

const uuid = '00000000-1111-2222-3333-444444444444';
const version = (revision: number, cause = 'define') => ({ uuid, stamp: { revision, timeMs: 1_700_000_000_000 + revision, cause } });
let root: string;
const etc = (...path: string[]) => join(root, 'etc/networks', ...path);
const open = (keep?: number) => openFileStore({ etc: join(root, 'etc'), run: join(root, 'run'), ...(keep === undefined ? {} : { keep }) });
const revisions = async () => (await readdir(etc('history', uuid))).sort();

describe('the history in files', () => {
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'vnet-history-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  it('keeps what was saved before, with when and by what, for its owner alone', async () => {
    const store = await open();
    await store.saveDefinition('a', '<one/>\n', version(1));
    await store.saveDefinition('a', '<two/>\n', version(2, 'rollback to 1'));
    await store.saveDefinition('a', '<three/>\n', version(3));
    const file = etc('history', uuid, '2.xml');
    expect(await readFile(file, 'utf8')).toMatch(/^<!-- Saved by vnetd, format 1, revision 2 at 2023-11-14T22:13:20\.002Z by rollback to 1\. .*-->\n<two\/>\n$/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const kept = await (await open()).history(uuid);
    expect(kept.sort((a, b) => a.revision - b.revision)).toEqual([
      { ...version(1).stamp, xml: '<one/>\n' }, { ...version(2, 'rollback to 1').stamp, xml: '<two/>\n' },
    ]);
    expect((await (await open()).load()).saved).toEqual([{ name: 'a', xml: '<three/>\n', stamp: version(3).stamp, autostart: false }]);
  });

  it('keeps no more than it is told', async () => {
    const store = await open(3);
    for (let n = 1; n <= 8; n++) await store.saveDefinition('a', `<n${n}/>\n`, version(n));
    expect(await revisions()).toEqual(['5.xml', '6.xml', '7.xml']);
    const none = await open(0);
    await none.saveDefinition('a', '<n9/>\n', version(9));
    expect(await revisions()).toEqual([]);
  });

  it('leaves the definition whole if it is cut off between the two writes', async () => {
    const store = await open();
    await store.saveDefinition('a', '<one/>\n', version(1));
    // What a daemon leaves that is killed after the first write.
    await mkdir(etc('history', uuid), { recursive: true });
    await writeFile(etc('history', uuid, '1.xml'), await readFile(etc('a.xml')));
    await writeFile(etc('history', uuid, '.1.xml.abcd.tmp'), 'half');
    const again = await open();
    expect(await revisions()).toEqual(['1.xml']);
    expect((await again.load()).saved).toEqual([{ name: 'a', xml: '<one/>\n', stamp: version(1).stamp, autostart: false }]);
    await again.saveDefinition('a', '<two/>\n', version(2));
    expect(await revisions()).toEqual(['1.xml']);
    expect(await again.history(uuid)).toEqual([{ ...version(1).stamp, xml: '<one/>\n' }]);
  });

  it('changes nothing if the history cannot be written', async () => {
    const store = await open();
    await store.saveDefinition('a', '<one/>\n', version(1));
    await writeFile(etc('history'), 'in the way');
    await expect(store.saveDefinition('a', '<two/>\n', version(2))).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR });
    expect((await (await open()).load()).saved).toMatchObject([{ xml: '<one/>\n', stamp: { revision: 1 } }]);
  });

  it('keeps the last version of what is undefined, and forgets the oldest such histories', async () => {
    const store = await open();
    for (let n = 0; n < 102; n++) {
      const one = `00000000-1111-2222-3333-${String(n).padStart(12, '0')}`;
      await store.saveDefinition(`n${n}`, '<network/>\n', { uuid: one, stamp: version(1).stamp });
      await store.removeDefinition(`n${n}`, one);
    }
    expect(await readdir(etc('history'))).toHaveLength(100);
    expect(await store.history('00000000-1111-2222-3333-000000000101')).toEqual([{ ...version(1).stamp, xml: '<network/>\n' }]);
    expect(await readdir(etc())).not.toContain('n101.xml');
  });

  it('reads a definition of an earlier vnetd, and carries it forward', async () => {
    await open();
    const old = '<!-- Saved by vnetd. While it runs, change this with: vnet edit NETWORK -->\n<old/>\n';
    await writeFile(etc('a.xml'), old);
    const store = await open();
    expect((await store.load()).saved).toEqual([{ name: 'a', xml: old, autostart: false }]);
    await store.saveDefinition('a', '<new/>\n', version(2));
    expect(await store.history(uuid)).toEqual([{ revision: 1, timeMs: 0, cause: '', xml: old }]);
  });

  it('F18: refuses a file of a later vnetd, and touches it in no way', async () => {
    await open();
    const later = '<!-- Saved by vnetd, format 2, revision 7. -->\n<later/>\n';
    await writeFile(etc('a.xml'), later);
    await writeFile(join(root, 'run/networks', `${uuid}.json`), '{"version": 2}');
    const store = await open();
    const { saved, live } = await store.load();
    expect([saved, live]).toEqual([[], []]);
    expect(await store.damaged()).toEqual([
      { path: etc('a.xml'), network: 'a', why: expect.stringContaining('its format is version 2, of a later vnetd'), advice: expect.stringContaining('run the later vnetd again') },
      { path: join(root, 'run/networks', `${uuid}.json`), why: expect.stringContaining('its format is version 2'), advice: expect.stringContaining('run the later vnetd again') },
    ]);
    const changes = [
      () => store.saveDefinition('a', '<mine/>\n', version(1)), () => store.removeDefinition('a', uuid), () => store.removeLive(uuid),
      () => store.saveLive({ uuid, name: 'a', bridge: '', state: 'starting', xml: '' }),
    ];
    for (const change of changes) await expect(change()).rejects.toMatchObject({ code: ErrorCode.OPERATION_INVALID, message: expect.stringContaining('later vnetd') });
    expect(await readFile(etc('a.xml'), 'utf8')).toBe(later);
    expect(await readFile(join(root, 'run/networks', `${uuid}.json`), 'utf8')).toBe('{"version": 2}');
  });
});
