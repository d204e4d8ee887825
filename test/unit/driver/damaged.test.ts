/** Definitions that somebody damaged by hand: the others load, these are told of, and are never lost. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openFileStore } from '../../../server/driver/file-store.js';
import { openHostDriver } from '../../../server/driver/host-driver.js';
import { createIdleHost } from '../../../server/driver/idle-host.js';
import type { Log } from '../../../server/log.js';

let root: string;
let lines: object[];
const note = (fields: object, message: string) => { lines.push({ ...fields, message }); };
const log: Log = { debug: () => undefined, info: () => undefined, warn: note, error: note };
beforeEach(async () => {
  [root, lines] = [await mkdtemp(join(tmpdir(), 'vnet-damaged-')), []];
});
afterEach(() => rm(root, { recursive: true }));

const etc = (name: string) => join(root, 'etc/networks', name);
const openDriver = async () => openHostDriver(createIdleHost(), await openFileStore({ etc: join(root, 'etc'), run: join(root, 'run') }), log);
const document = (name: string, n: number) => `<network><name>${name}</name><bridge name='dam${n}'/><ip address='10.7.${n}.1' netmask='255.255.255.0'/></network>`;

it.each([
  ['cut off', (text: string) => text.slice(0, text.length / 2)],
  ['empty', () => ''],
  ['of bytes that are no text', () => '\0\u0001\ufffd'],
  ['with an element that means nothing', (text: string) => text.replace("netmask='255.255.255.0'", "netmask='many'")],
  ['with the name of another network', (text: string) => text.replace('<name>lab</name>', '<name>other</name>')],
])('T32: a definition that is %s is told of, and kept beside the one that takes its place', async (_, damage) => {
  const first = await openDriver();
  await first.networkDefineXml({ xml: document('lab', 1), validate: false });
  await first.networkDefineXml({ xml: document('good', 2), validate: false });
  const damaged = damage(await readFile(etc('lab.xml'), 'utf8'));
  await writeFile(etc('lab.xml'), damaged);

  const driver = await openDriver();
  expect((await driver.listDefinedNetworks({ maxNames: 0 })).names).toEqual(['default', 'good']);
  const { networks, damagedFiles } = await driver.getStatus({ network: undefined });
  expect(networks.map(({ network }) => network!.name)).toEqual(['default', 'good']);
  expect(damagedFiles).toEqual([{ path: etc('lab.xml'), network: 'lab', message: expect.stringMatching(/\S/), advice: expect.stringContaining('restart vnetd') }]);
  expect(lines).toContainEqual(expect.objectContaining({ network: 'lab', message: 'cannot load network' }));
  expect(await readFile(etc('lab.xml'), 'utf8')).toBe(damaged);
  // A dry run is none: nothing is replaced.
  await driver.networkDefineXml({ xml: document('lab', 3), validate: false, dryRun: true });
  expect(await readFile(etc('lab.xml'), 'utf8')).toBe(damaged);

  await driver.networkDefineXml({ xml: document('lab', 3), validate: false });
  expect(await readFile(etc('lab.xml.damaged-1'), 'utf8')).toBe(damaged);
  expect(lines).toContainEqual(expect.objectContaining({ network: 'lab', kept: etc('lab.xml.damaged-1') }));
  expect((await driver.getStatus({ network: undefined })).damagedFiles).toEqual([]);

  const last = await openDriver();
  expect((await last.listDefinedNetworks({ maxNames: 0 })).names).toEqual(['default', 'good', 'lab']);
  expect((await last.networkDumpXml({ network: { name: 'lab', uuid: '' }, inactive: true })).xml).toContain('10.7.3.1');
  expect((await readdir(etc(''))).filter((name) => name.includes('damaged'))).toEqual(['lab.xml.damaged-1']);
});
