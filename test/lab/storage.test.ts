/** The fault tests of the reference that concern the folders: full or read-only, each in turn. What is asked for then is refused, what stands stays, what is asked is answered, and nothing is lost. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openConnection, type Connection } from '../../client/connection.js';
import { ErrorCode } from '../../shared/errors.js';
import { startDaemon, type Daemon } from '../processes.js';
import { openLab, runProgram, type Lab } from './lab.js';

const document = (number: number, more = '') => `<network><name>disk${number}</name><uuid>4b6bd1a5-3c5e-4f0e-9fd0-00000000000${number}</uuid><forward mode='nat'/>
  <bridge name='lab-disk${number}' stp='off' delay='0'/><mac address='52:54:00:11:0d:0${number}'/>${more}
  <ip address='10.88.${number}.1' prefix='24'><dhcp><range start='10.88.${number}.10' end='10.88.${number}.20'/></dhcp></ip></network>`;

const folders = { definitions: 'etc/vnet', records: 'run/vnet', dnsmasq: 'var/lib/vnet' };

let lab: Lab;
let daemon: Daemon;
let connection: Connection;
let mounted: string;

const open = async () => {
  daemon = await startDaemon(['--root', lab.folder]);
  connection = await openConnection(daemon.uris['unix']!);
};

const close = async () => {
  await connection.close();
  await daemon.stop();
};

/** Opens a daemon one of whose folders is a file system of its own; one network is up, one is defined. */
async function openWith(folder: string): Promise<void> {
  mounted = join(lab.folder, folder);
  await mkdir(mounted, { recursive: true });
  await runProgram('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=755', 'tmpfs', mounted]);
  await open();
  for (const number of [1, 2]) await connection.defineXml(document(number));
  await network(1).then((up) => up.start());
}

beforeEach(async () => { lab = await openLab(); }, 60_000);
afterEach(async () => {
  for (const { network: one, active } of await connection.listAllNetworks()) if (active) await one.destroy();
  await close();
  await runProgram('umount', [mounted]);
  await lab.close();
});

const network = (number: number) => connection.lookupByName(`disk${number}`);

/** Fills a file system to the last byte; gives what makes room again. */
async function fill(): Promise<() => Promise<void>> {
  const filler = join(mounted, 'filler');
  await writeFile(filler, Buffer.alloc(1024 * 1024)).catch((error: NodeJS.ErrnoException) => { if (error.code !== 'ENOSPC') throw error; });
  return () => rm(filler);
}

async function makeReadOnly(): Promise<() => Promise<void>> {
  const remount = (mode: string) => runProgram('mount', ['-o', `remount,${mode}`, mounted]);
  await remount('ro');
  return async () => void await remount('rw');
}

/** All of the host that networks are, and the files. */
async function state() {
  const links = (JSON.parse(await runProgram('ip', ['-json', 'link'])) as { ifname: string }[]).map(({ ifname }) => ifname).filter((name) => name.startsWith('lab-disk'));
  const files = (await Promise.all(Object.values(folders).map(async (folder) => (await readdir(join(lab.folder, folder), { recursive: true })).map((name) => join(folder, name))))).flat();
  const xml = await Promise.all((await connection.listAllNetworks()).map(async ({ network: one, active, autostart }) => [one.name, active, autostart, await one.dumpXml({ inactive: true })]));
  return {
    links, xml, rules: await runProgram('nft', ['--stateless', 'list', 'ruleset']), files: files.filter((name) => !/filler|history|leases$/.test(name)).sort(),
    pid: await readFile(join(lab.folder, 'run/vnet/dnsmasq/disk1.pid'), 'utf8'),
  };
}

const troubles = { full: { begin: fill, words: /no space left/i }, 'read-only': { begin: makeReadOnly, words: /read-only/i } };

/** What cannot be done in each case, by the folder that is in trouble. */
const refused: Record<keyof typeof folders, Record<string, () => Promise<unknown>>> = {
  definitions: {
    'a definition': () => connection.defineXml(document(3)),
    'a new definition': () => connection.defineXml(document(1, "<domain name='new.test'/>")),
    'a change of the saved definition': async () => (await network(1)).update({ command: 'add-last', section: 'dns-host', xml: "<host ip='10.88.1.9'><hostname>nine</hostname></host>" }, { live: true, config: true }),
  },
  records: { 'a start': async () => (await network(2)).start(), 'a stop': async () => (await network(1)).destroy() },
  dnsmasq: { 'a start': async () => (await network(2)).start() },
};

/** Which folder is in which trouble. That of dnsmasq cannot be made read-only while one writes its leases there. */
const cases: [keyof typeof folders, keyof typeof troubles][] = [
  ['definitions', 'full'], ['records', 'full'], ['dnsmasq', 'full'], ['definitions', 'read-only'], ['records', 'read-only'],
];

describe('a folder in trouble costs nothing that stands', () => {
  it.each(cases)('F5, F6: that of %s is %s', async (folder, trouble) => {
    await openWith(folders[folder]);
    const { begin, words } = troubles[trouble];
    const before = await state();
    const end = await begin();
    for (const [what, call] of Object.entries(refused[folder])) {
      await expect(call(), what).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringMatching(words) });
      expect(await state(), what).toEqual(before);
    }
    await end();
    for (const call of Object.values(refused[folder]).slice(0, 1)) await call();
    const after = await state();
    await close();
    await open();
    expect(await state()).toEqual(after);
  }, 60_000);
});
