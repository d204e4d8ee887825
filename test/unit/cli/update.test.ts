/** Changing one part of a network, its description and its metadata, in virsh's words. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fakeDriver, fakeNetwork, type FakeDriver } from './fake-driver.js';
import { runVnet } from './run-vnet.js';

let driver: FakeDriver;
let folder: string;
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'vnet-update-test-')); });
afterAll(() => rm(folder, { recursive: true }));
beforeEach(() => { driver = fakeDriver(fakeNetwork('lab'), fakeNetwork('live', { active: true })); });

const vnet = (argv: string[], scene = {}) => runVnet(argv, { driver, ...scene });
const host = "<host mac='52:54:00:00:00:0b' ip='10.0.0.2'/>";
const base = { command: 3, section: 4, xml: host, live: false, config: false, dryRun: false };

describe('net-update', () => {
  it.each([
    ['lab', [], 'persistent config', base],
    ['live', [], 'live state', base],
    ['live', ['--current'], 'live state', base],
    ['live', ['--live', '--config'], 'persistent config and live state', { ...base, live: true, config: true }],
    ['live', ['--config', '--parent-index', '2'], 'persistent config', { ...base, config: true, parentIndex: 2 }],
  ])('%s %j says what was changed: %s', async (network, options, what, request) => {
    expect(await vnet(['net-update', network, 'add', 'ip-dhcp-host', host, ...options])).toMatchObject({ code: 0, out: `Updated network ${network} ${what}\n\n`, err: '' });
    expect(driver.asked).toEqual([request]);
  });

  it('takes the element from a file or standard input', async () => {
    const file = join(folder, 'host.xml');
    await writeFile(file, host);
    await vnet(['update', 'lab', 'delete', 'ip-dhcp-host', file]);
    await vnet(['update', 'lab', 'modify', 'dns-txt', '-'], { stdin: '<txt/>' });
    expect(driver.asked).toEqual([{ ...base, command: 2 }, { ...base, command: 1, section: 11, xml: '<txt/>' }]);
    expect(await vnet(['net-update', 'lab', 'add', 'ip-dhcp-host', '/nonexistent'])).toMatchObject({ err: "error: Failed to open file '/nonexistent': No such file or directory\n" });
  });

  it.each([
    [['frob', 'ip-dhcp-host', host], "unrecognized command name 'frob'"],
    [['add', 'frob', host], "unrecognized section name 'frob'"],
    [['none', 'ip', host], "unrecognized command name 'none'"],
    [['add', 'ip', host, '--parent-index', 'x'], "Numeric value 'x' for <parent-index> option is malformed or out of range"],
    [['add', 'ip', host, '--current', '--live'], 'Options --current and --live are mutually exclusive'],
    [['add', 'ip'], "command 'net-update' requires <xml> option"],
  ])('refuses %j', async (words, why) => {
    const { code, err } = await vnet(['net-update', 'lab', ...words]);
    expect({ code, err: err.split('\n')[0] }).toEqual({ code: 2, err: `error: ${why}` });
    expect(driver.asked).toEqual([]);
  });

  it('only tells, if asked to, as a table or for programs', async () => {
    const changes = [{ part: 'address', what: 'add 10.0.0.1/24 to virbr0', hitless: true }, { part: 'dnsmasq', what: 'restart', hitless: false }];
    driver.changes.push(...changes);
    expect((await vnet(['update', 'live', 'add', 'ip', '<ip/>', '--dry-run'])).out).toBe(` Part      What                        Hitless
------------------------------------------------
 address   add 10.0.0.1/24 to virbr0   yes
 dnsmasq   restart                     no

`);
    expect(driver.asked).toEqual([{ ...base, section: 3, xml: '<ip/>', dryRun: true }]);
    driver.changes.push(...changes);
    expect(JSON.parse((await vnet(['update', 'live', 'add', 'ip', '<ip/>', '--dry-run', '-o', 'json'])).out)).toMatchObject([{ result: 'not changed', live: true, config: false, changes }]);
  });
});

describe('define', () => {
  it('says of an active network what waits, and tries without defining', async () => {
    const file = join(folder, 'live.xml');
    await writeFile(file, '<network><name>live</name></network>');
    driver.pending.push('mtu/@size');
    expect((await vnet(['define', file])).err).toBe('hint: network live is active; these parts wait for its next start, all others are live: mtu/@size\n');
    driver.changes.push({ part: 'link', what: 'make bridge virbr0', hitless: true });
    const before = driver.networks.get('live')!.xml;
    await writeFile(file, '<network><name>live</name><mtu/></network>');
    expect(await vnet(['define', file, '--dry-run'])).toMatchObject({ code: 0, out: expect.stringContaining(' link   make bridge virbr0   yes\n') });
    expect(driver.networks.get('live')!.xml).toBe(before);
  });
});

describe('net-desc', () => {
  it('shows, sets and removes description and title', async () => {
    expect((await vnet(['net-desc', 'lab'])).out).toBe('No description for network: lab\n\n');
    expect((await vnet(['net-desc', 'lab', '--title'])).out).toBe('No title for network: lab\n\n');
    expect((await vnet(['net-desc', 'lab', 'hello', 'there'])).out).toBe('Network description updated successfully\n\n');
    expect((await vnet(['net-desc', 'lab', '--title', '--new-desc', 't'])).out).toBe('Network title updated successfully\n\n');
    expect((await vnet(['net-desc', 'lab'])).out).toBe('hello there\n\n');
    expect((await vnet(['desc', 'lab', '--title'])).out).toBe('t\n\n');
    expect((await vnet(['net-desc', 'lab', '--title', ''])).out).toBe('Network title updated successfully\n\n');
    expect((await vnet(['net-desc', 'lab', '--title'])).out).toBe('No title for network: lab\n\n');
    expect(await vnet(['net-desc', 'lab', '--live', '--current'])).toMatchObject({ code: 2, err: 'error: Options --current and --live are mutually exclusive\n' });
  });

  it('edits them', async () => {
    const editor = join(folder, 'editor');
    await writeFile(editor, '#!/bin/sh\nsed -i "s/old/new/" "$1"\n');
    await chmod(editor, 0o755);
    await vnet(['desc', 'lab', 'the old text']);
    const scene = { env: { EDITOR: editor } };
    expect((await vnet(['desc', 'lab', '--edit'], scene)).out).toBe('Network description updated successfully\n\n');
    expect((await vnet(['desc', 'lab'])).out).toBe('the new text\n\n');
    expect((await vnet(['desc', 'lab', '--edit'], scene)).out).toBe('Network description not changed\n\n');
  });
});

describe('net-metadata', () => {
  it('shows, sets and removes the element of a namespace', async () => {
    expect(await vnet(['net-metadata', 'lab', 'urn:x'])).toMatchObject({ code: 3, err: 'error: metadata not found: Requested metadata element is not present\n' });
    expect((await vnet(['net-metadata', 'lab', 'urn:x', '--key', 'k', '--set', '<foo/>'])).out).toBe('Metadata modified\n\n');
    expect((await vnet(['net-metadata', 'lab', 'urn:x'])).out).toBe('<foo/>\n\n');
    expect((await vnet(['net-metadata', 'lab', 'urn:x', '--remove'])).out).toBe('Metadata removed\n\n');
    expect(driver.asked.at(0)).toEqual({ type: 3, uri: 'urn:x', key: 'k', metadata: '<foo/>', live: false, config: false });
    expect(await vnet(['net-metadata', 'lab', 'urn:x', '--set', '<foo/>'])).toMatchObject({ code: 2, err: 'error: namespace key is required when modifying metadata\n' });
    expect(await vnet(['net-metadata', 'lab', 'urn:x', '--edit', '--remove'])).toMatchObject({ code: 2, err: 'error: Options --remove and --edit are mutually exclusive\n' });
  });
});
