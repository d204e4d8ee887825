/**
 * vnetd on a real host: what outlives it, what it takes back, what it refuses,
 * and that what it refuses leaves no trace.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openConnection, type Connection } from '../../client/connection.js';
import { ErrorCode } from '../../shared/errors.js';
import { startDaemon, until, type Daemon } from '../processes.js';
import { addresses, openLab, runProgram, type Lab } from './lab.js';

let lab: Lab;
let daemon: Daemon;
let connection: Connection;

const start = async (more: string[] = []) => {
  daemon = await startDaemon(['--root', lab.folder, ...more]);
  connection = await openConnection(daemon.uris['unix']!);
};

/** Everything of the machine that a network changes. */
async function machine(): Promise<Record<string, string>> {
  return {
    links: await runProgram('ip', ['-o', 'link']),
    addresses: (await runProgram('ip', ['-o', 'addr'])).replaceAll(' tentative', ''),
    routes: await runProgram('ip', ['route']) + await runProgram('ip', ['-6', 'route']),
    rules: await runProgram('nft', ['list', 'ruleset']),
    processes: (await runProgram('ps', ['-eo', 'args'])).split('\n').filter((line) => line.startsWith('/usr/sbin/dnsmasq')).join('\n'),
    files: (await readdir(join(lab.folder, 'var'), { recursive: true })).filter((name) => !/servers$/.test(name)).sort().join('\n'),
  };
}

const pid = async (name: string) => (await readFile(join(lab.folder, 'run/vnet/dnsmasq', `${name}.pid`), 'utf8')).trim();
const document = (name: string, ip: string, more = '') => `<network><name>${name}</name>${more}${ip}</network>`;

beforeEach(async () => {
  lab = await openLab();
  await start();
}, 300_000);
afterEach(async () => {
  await connection.close();
  await daemon.stop();
  await startDaemon(['--root', lab.folder]).then(async (last) => {
    const closing = await openConnection(last.uris['unix']!);
    for (const { network } of await closing.listAllNetworks({ active: true })) await network.destroy();
    await closing.close();
    await last.stop();
  });
  await lab.close();
}, 60_000);

describe('networks outlive the daemon', () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)('when it ends by %s, and are adopted untouched', async (signal) => {
    const network = await connection.lookupByName('default');
    await network.start();
    const guest = await lab.guest('virbr0', 'guest');
    const { address } = await guest.lease();
    const before = { ...await machine(), pid: await pid('default') };
    await connection.close();
    await daemon.stop(signal);
    await until('no program of the daemon is left', async () => !/nft monitor/.test(await runProgram('ps', ['-eo', 'args'])));
    expect(await guest.reach(addresses.outside.ipv4)).toMatchObject({ reached: true });
    expect({ ...await machine(), pid: await pid('default') }).toEqual(before);
    await start();
    expect({ ...await machine(), pid: await pid('default') }).toEqual(before);
    const adopted = await connection.lookupByName('default');
    expect(await adopted.isActive()).toBe(true);
    expect((await adopted.leases()).map((lease) => lease.ipAddress)).toEqual([address]);
    await adopted.destroy();
    await expect.poll(async () => (await machine())['rules'], { timeout: 10_000 }).toBe('');
  });

  it('and what was lost meanwhile is made good', async () => {
    await (await connection.lookupByName('default')).start();
    const rules = (await machine())['rules'];
    await connection.close();
    await daemon.stop('SIGKILL');
    process.kill(Number(await pid('default')), 'SIGKILL');
    await runProgram('nft', ['flush', 'ruleset']);
    await start();
    expect((await machine())['rules']).toBe(rules);
    const guest = await lab.guest('virbr0', 'guest');
    await guest.lease();
    expect(await guest.reach(addresses.outside.ipv4)).toMatchObject({ reached: true, seen: { address: addresses.up0.ipv4 } });
  });

  it('F16: but not their bridge: then they are inactive, and nothing of them is left', async () => {
    const before = await machine();
    const network = await connection.lookupByName('default');
    await network.start();
    await connection.close();
    await daemon.stop('SIGKILL');
    await runProgram('ip', ['link', 'delete', 'virbr0']);
    await start();
    expect(await (await connection.lookupByName('default')).isActive()).toBe(false);
    const withoutFiles = ({ files: _, ...others }: Record<string, string>) => others;
    await expect.poll(async () => withoutFiles(await machine()), { timeout: 10_000 }).toEqual(withoutFiles(before));
    expect((await machine())['files']).toContain('default.leases');
  });

  it('F16: start with the host once a boot', async () => {
    const network = await connection.lookupByName('default');
    await network.setAutostart(true);
    await connection.close();
    await daemon.stop();
    await start();
    expect(await (await connection.lookupByName('default')).isActive()).toBe(false);
    await connection.close();
    await daemon.stop();
    await rm(join(lab.folder, 'run/vnet'), { recursive: true });
    await start();
    expect(await (await connection.lookupByName('default')).isActive()).toBe(true);
  });
});

describe('what cannot be is refused and leaves no trace', () => {
  it.each([
    ['a subnet inside one of the host', "<ip address='198.51.100.129' prefix='25'/>", /198\.51\.100\.128\/25 of network 'x' overlaps 198\.51\.100\.0\/24/],
    ['a subnet around one of the host', "<ip address='198.51.0.1' prefix='16'/>", /in use by interface up0/],
    ['an IPv6 subnet of the host', "<ip family='ipv6' address='2001:db8:1:0:1::1' prefix='80'/>", /in use by interface up0/],
  ])('%s', async (_, ip, words) => {
    const { network } = await connection.defineXml(document('x', ip));
    const before = await machine();
    await expect(network.start()).rejects.toMatchObject({ code: ErrorCode.INTERNAL_ERROR, message: expect.stringMatching(words) });
    expect(await machine()).toEqual(before);
  });

  it('a bridge name that something on the host has, which stays as it is', async () => {
    await runProgram('ip', ['link', 'add', 'foreign0', 'type', 'bridge']);
    const { network } = await connection.defineXml(document('x', "<ip address='10.81.0.1' prefix='24'/>", "<bridge name='foreign0'/>"));
    const before = await machine();
    await expect(network.start()).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringMatching(/foreign0.*File exists/) });
    expect(await machine()).toEqual(before);
    await runProgram('ip', ['link', 'delete', 'foreign0']);
    await network.start();
  });

  it('F9: a tool that is missing, by name, while networks that do not need it start', async () => {
    await runProgram('mount', ['--bind', '/dev/null', '/usr/sbin/dnsmasq']);
    try {
      const network = await connection.lookupByName('default');
      const before = await machine();
      await expect(network.start()).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringMatching(/dnsmasq/), hint: expect.stringMatching(/dnsmasq-base/) });
      expect(await machine()).toEqual(before);
      const { network: plain } = await connection.defineXml(document('plain', "<dns enable='no'/><ip address='10.81.1.1' prefix='24'/>"));
      await plain.start();
      await plain.destroy();
    } finally {
      await runProgram('umount', ['/usr/sbin/dnsmasq']);
    }
  });

  it('F5: a disk that is full: the network that runs goes on, and reading works', async () => {
    const etc = join(lab.folder, 'etc/vnet/networks');
    await runProgram('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', etc]);
    try {
      await mkdir(join(etc, 'autostart'));
      await writeFile(join(etc, 'filler'), Buffer.alloc(64 * 1024)).catch(() => undefined);
      const before = (await connection.listAllNetworks()).length;
      await expect(connection.defineXml(document('x', `<description>${'x'.repeat(20_000)}</description>`)))
        .rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringMatching(/cannot save network 'x': ENOSPC/), hint: expect.stringMatching(/space/) });
      expect(await connection.listAllNetworks()).toHaveLength(before);
      expect((await readdir(etc)).filter((name) => name.includes('x.xml'))).toEqual([]);
    } finally {
      await runProgram('umount', [etc]);
    }
  });
});

describe('a new host', () => {
  it('has default on the next free subnet if its own is taken', async () => {
    await connection.close();
    await daemon.stop();
    await rm(join(lab.folder, 'etc'), { recursive: true });
    await runProgram('ip', ['route', 'add', '192.168.122.0/23', 'via', addresses.outside.ipv4]);
    await start();
    expect(await (await connection.lookupByName('default')).dumpXml()).toContain("<ip address='192.168.124.1'");
    expect(daemon.log.map(({ msg }) => msg).join()).toMatch(/192\.168\.122\.0\/24 is taken/);
  });

  it('F21: lets one daemon work in a folder', async () => {
    await expect(startDaemon(['--root', lab.folder])).rejects.toThrow(/another vnetd works in this folder/);
  });
});

describe('dnsmasq', () => {
  it('T28: runs without rights, opens no inotify instance, and follows the host\'s resolv.conf', async () => {
    await (await connection.lookupByName('default')).start();
    const id = await pid('default');
    const status = await readFile(`/proc/${id}/status`, 'utf8');
    // Where groups may not be changed there is one account only, whose root has no rights outside.
    const rootless = (await readFile('/proc/self/setgroups', 'utf8')).trim() === 'deny';
    if (!rootless) expect(status).not.toMatch(/^Uid:\s+0/m);
    expect((await runProgram('ls', ['-l', `/proc/${id}/fd`]))).not.toContain('inotify');
    const guest = await lab.guest('virbr0', 'guest');
    await guest.lease();
    await writeFile(lab.resolvConf, '');
    await until('no upstream', async () => (await guest.resolve('192.168.122.1', 'other.outside.test')).length === 0);
    await writeFile(lab.resolvConf, `nameserver ${addresses.outside.ipv4}\n`);
    await until('the upstream', async () => (await guest.resolve('192.168.122.1', 'third.outside.test')).length > 0);
    expect(await pid('default')).toBe(id);
  });
});
