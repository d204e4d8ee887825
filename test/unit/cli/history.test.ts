/** History, rollback, backup and restore, and compare and swap: the commands against the real rules. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LocalNetworkDriver } from '../../../server/driver/local-driver.js';
import { openTestDriver } from '../../../server/driver/test-driver.js';
import { runVnet } from './run-vnet.js';

let driver: LocalNetworkDriver;
let folder: string;
beforeEach(async () => {
  driver = await openTestDriver();
  folder = await mkdtemp(join(tmpdir(), 'vnet-history-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

const vnet = (...argv: string[]) => runVnet(argv, { driver });
const records = async (...argv: string[]) => JSON.parse((await vnet(...argv, '-o', 'json')).out) as Record<string, unknown>[];
const dump = async (name: string) => (await driver.networkDumpXml({ network: { name, uuid: '' }, inactive: true })).xml;
const file = () => join(folder, 'file');

/** Defines `private` again with a title. */
async function entitle(title: string, ...options: string[]) {
  await writeFile(file(), (await dump('private')).replace(/ *<title>.*<\/title>\n/, '').replace('</uuid>\n', `</uuid>\n  <title>${title}</title>\n`));
  return vnet('define', ...options, file());
}

describe('history and rollback', () => {
  it('list what was saved, print it, and bring it back as a new revision', async () => {
    await entitle('one');
    await entitle('two');
    expect((await vnet('history', 'private')).out).toMatch(/^ Revision +Saved +By +In force\n-+\n 3 +\d{4}-\S+Z +define +yes\n 2 .* no\n 1 .* no\n\n?$/);
    expect((await vnet('history', 'private', '--xml', '2')).out).toContain('<title>one</title>');
    expect(await vnet('rollback', 'private', '--dry-run')).toMatchObject({ code: 0 });
    expect(await dump('private')).toContain('<title>two</title>');
    expect((await vnet('rollback', 'private')).out).toContain('Network private rolled back to revision 2; it is revision 4 now');
    expect(await dump('private')).toContain('<title>one</title>');
    expect((await vnet('rollback', 'private', '1')).code).toBe(0);
    expect(await dump('private')).not.toContain('<title>');
    expect((await records('history', 'private')).slice(0, 2)).toMatchObject([{ revision: 5, cause: 'rollback to 1', current: true }, { revision: 4, cause: 'rollback to 2' }]);
    expect((await vnet('rollback', 'private', '5')).out).toContain('Network private is at revision 5.');
  });

  it('say what is not there', async () => {
    expect(await vnet('rollback', 'private')).toMatchObject({ code: 3, err: expect.stringContaining('no revision of network private before revision 1 is kept') });
    expect(await vnet('rollback', 'private', '9')).toMatchObject({ code: 2, err: expect.stringContaining("revision 9 of network 'private' is not kept") });
    expect(await vnet('history', 'private', '--xml', 'x')).toMatchObject({ code: 2, err: expect.stringContaining("'x' is no revision") });
  });
});

describe('compare and swap', () => {
  it('defines only over the revision that is expected', async () => {
    expect((await entitle('one', '--expect-revision', '1')).code).toBe(0);
    const { code, err } = await entitle('two', '--expect-revision', '1');
    expect(code).toBe(4);
    expect(err).toMatch(/it is at revision 2 since .*, by define; revision 1 was expected\nhint: .*vnet history private/);
    expect(await dump('private')).toContain('<title>one</title>');
  });

  it('lets no editor overwrite what came in at the last moment', async () => {
    const define = driver.networkDefineXml;
    let others = 1;
    driver.networkDefineXml = async (request) => {
      if (others-- > 0) await define({ xml: (await dump('private')).replace('</uuid>\n', '</uuid>\n  <title>theirs</title>\n'), validate: false });
      return define(request);
    };
    const mine = (await dump('private')).replace('</uuid>\n', '</uuid>\n  <title>mine</title>\n');
    expect(await runVnet(['edit', 'private'], { driver, stdin: mine })).toMatchObject({ code: 4, err: expect.stringContaining('was changed meanwhile') });
    expect(await dump('private')).toContain('<title>theirs</title>');
  });
});

describe('backup and restore', () => {
  it('bring all networks back to what they were, and say what was done to each', async () => {
    expect((await vnet('backup', file())).out).toContain(`2 networks backed up to ${file()}`);
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['file']);
    const backup = await readFile(file(), 'utf8');
    expect(backup).toMatch(/^# .*\nformat: 1\ntaken: .*\nhost: .*\nnetworks:\n {2}- name: default\n {4}uuid: .*\n {4}revision: 1\n {4}autostart: true\n {4}xml: \|\n {6}<network/);
    expect((await vnet('backup')).out).toContain('name: private');
    const kept = join(folder, 'kept');
    await writeFile(kept, backup);
    const before = await dump('private');
    expect((await records('restore', kept)).map(({ name, result }) => [name, result])).toEqual([['default', 'same'], ['private', 'same']]);
    await entitle('changed');
    await driver.networkSetAutostart({ network: { name: 'default', uuid: '' }, autostart: false });
    expect((await records('restore', kept, '--dry-run')).map(({ result }) => result)).toEqual(['would be changed', 'would be changed']);
    expect(await dump('private')).toContain('changed');
    expect((await records('restore', kept)).map(({ result }) => result)).toEqual(['changed', 'changed']);
    expect(await dump('private')).toBe(before);
    await vnet('undefine', 'private');
    expect((await records('restore', kept)).map(({ result }) => result)).toEqual(['same', 'defined']);
    expect(await dump('private')).toBe(before);
    const { networks } = await driver.listAllNetworks({});
    expect(networks.map(({ network, active, autostart }) => [network!.name, active, autostart])).toEqual([['default', true, true], ['private', false, false]]);
  });

  it('change nothing if one of them is refused', async () => {
    const backup = (await vnet('backup')).out;
    await entitle('changed');
    await writeFile(file(), backup.replace("<forward mode='nat'", "<forward mode='teleport'"));
    const { code, out, err } = await vnet('restore', file());
    expect(code).not.toBe(0);
    expect(out).toMatch(/default .* refused\n private .* would be changed/);
    expect(err).toMatch(/Failed to restore network default\n[^]*1 of 2 networks cannot be restored; nothing was changed/);
    expect(await dump('private')).toContain('changed');
  });

  it.each([
    ['format: 2\nnetworks: []\n', 'its format is version 2, of a later vnet'],
    ['networks: []\n', "it has no 'format'"],
    ['format: 1\nnetworks: [{name: a}]\n', "entry 1 of 'networks'"],
    ['- 1\n', 'it is no table'],
    ['a: [', 'is no backup'],
  ])('refuse what is no backup of theirs: %j', async (text, why) => {
    await writeFile(file(), text);
    expect(await vnet('restore', file())).toMatchObject({ code: 2, err: expect.stringContaining(why) });
  });
});
