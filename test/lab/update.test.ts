/**
 * Updates of a network that carries traffic, through a real vnetd: a thousand
 * of them lose no packet and touch nothing that they do not concern; and
 * wherever a daemon is killed in one, the next one finds all or nothing of it.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openConnection, type Connection } from '../../client/connection.js';
import type { Network, NetworkChange } from '../../client/network.js';
import { openFileStore } from '../../server/driver/file-store.js';
import { openHostDriver } from '../../server/driver/host-driver.js';
import type { Host } from '../../server/driver/host.js';
import type { Store } from '../../server/driver/store.js';
import { openCommands, type Commands } from '../../server/host/command.js';
import { silentLog } from '../../server/log.js';
import type { NetworkDriver } from '../../shared/gen/vnet/v1/network_driver.js';
import { startDaemon, until, type Daemon } from '../processes.js';
import { openLabHost } from './embedded-host.js';
import { openFlow } from './flow.js';
import { addresses, openLab, runProgram, type Lab } from './lab.js';

let lab: Lab;
beforeAll(async () => { lab = await openLab(); }, 400_000);
afterAll(() => lab?.close());

describe('a thousand updates beside running flows', () => {
  let daemon: Daemon;
  let connection: Connection;
  let network: Network;

  beforeAll(async () => {
    daemon = await startDaemon(['--root', lab.folder]);
    connection = await openConnection(daemon.uris['unix']!);
    ({ network } = await connection.defineXml(`<network><name>busy</name><forward mode='nat'/><bridge name='lab-busy' stp='off' delay='0'/>
      <ip address='192.168.181.1' prefix='24'><dhcp><range start='192.168.181.10' end='192.168.181.20'/></dhcp></ip></network>`));
    await network.start();
    const other = await connection.defineXml("<network><name>quiet</name><forward mode='nat'/><ip address='192.168.182.1' prefix='24'/></network>");
    await other.network.start();
  }, 60_000);

  afterAll(async () => {
    for (const { network: each } of await connection.listAllNetworks({ active: true })) await each.destroy();
    await connection.close();
    await daemon.stop();
  });

  const handles = async () => (await runProgram('nft', ['-a', 'list', 'table', 'inet', 'vnet'])).split('\n').filter((line) => /# handle \d+$/.test(line));
  const pid = () => readFile(join(lab.folder, 'run/vnet/dnsmasq/busy.pid'), 'utf8');
  const hostEntry = (n: number) => `<host mac='52:54:00:33:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}' name='h${n}' ip='192.168.181.${100 + (n % 100)}'/>`;
  const dnsEntry = (n: number) => `<host ip='192.168.181.${100 + (n % 100)}'><hostname>d${n}</hostname></host>`;

  it('lose no packet, change no rule and restart no dnsmasq, and hold at once', async () => {
    const [a, b] = [await lab.guest('lab-busy', 'busy-a'), await lab.guest('lab-busy', 'busy-b')];
    const [{ address }, other] = [await a.lease(), await b.lease()];
    expect(address).not.toBe(other.address);
    // Neighbours are known and the paths are warm.
    expect(await a.reach(other.address)).toMatchObject({ reached: true });
    expect(await a.reach(addresses.outside.ipv4)).toMatchObject({ reached: true });
    const before = [await handles(), await pid()];
    const flows = [await openFlow('busy-a', 'busy-b', other.address, 5001, 3000), await openFlow('busy-a', 'outside', addresses.outside.ipv4, 5002, 3000)];
    for (let n = 0; n < 250; n += 1) {
      await network.update({ command: 'add-last', section: 'ip-dhcp-host', xml: hostEntry(n) }, { live: true, config: n % 2 === 0 });
      await network.update({ command: 'add-last', section: 'dns-host', xml: dnsEntry(n) }, { live: true });
      await network.update({ command: 'delete', section: 'dns-host', xml: dnsEntry(n) }, { live: true });
      await network.update({ command: 'delete', section: 'ip-dhcp-host', xml: hostEntry(n) }, { live: true, config: n % 2 === 0 });
    }
    const counted = [await flows[0]!.end(), await flows[1]!.end()];
    for (const { sent, received, perSecond } of counted) {
      expect(received).toBe(sent);
      expect(perSecond).toBeGreaterThan(500);
      expect(sent).toBeGreaterThan(1000);
    }
    expect([await handles(), await pid()]).toEqual(before);
    await network.update({ command: 'add-last', section: 'ip-dhcp-host', xml: "<host mac='52:54:00:33:99:01' name='fresh' ip='192.168.181.99'/>" });
    const fresh = await lab.guest('lab-busy', 'fresh', { mac: '52:54:00:33:99:01' });
    expect(await fresh.lease()).toMatchObject({ address: '192.168.181.99', hostname: 'fresh' });
    await network.update({ command: 'add-last', section: 'dns-host', xml: "<host ip='192.168.181.98'><hostname>printer</hostname></host>" });
    await until('the name', async () => (await fresh.resolve('192.168.181.1', 'printer')).length > 0);
    expect([await handles(), await pid()]).toEqual(before);
  }, 300_000);

  it('a flow loses no packet either when an address comes and goes, and dnsmasq restarts', async () => {
    const [a, b] = [await lab.guest('lab-busy', 'move-a'), await lab.guest('lab-busy', 'move-b')];
    const [, { address }] = [await a.lease(), await b.lease()];
    expect(await a.reach(address)).toMatchObject({ reached: true });
    expect(await a.reach(addresses.outside.ipv4)).toMatchObject({ reached: true });
    const leases = await network.leases();
    const flows = [await openFlow('move-a', 'move-b', address, 5003, 1000), await openFlow('move-a', 'outside', addresses.outside.ipv4, 5004, 1000)];
    const changes: NetworkChange[] = [
      { command: 'add-last', section: 'ip', xml: "<ip address='192.168.183.1' prefix='24'/>" },
      { command: 'add-last', section: 'ip-dhcp-range', xml: "<range start='192.168.181.30' end='192.168.181.40'/>" },
      { command: 'add-last', section: 'domain', xml: "<domain name='busy.test'/>" },
      { command: 'delete', section: 'ip', xml: "<ip address='192.168.183.1'/>" },
    ];
    for (const change of changes) await network.update(change);
    for (const flow of flows) {
      const { sent, received } = await flow.end();
      expect(received).toBe(sent);
    }
    expect((await network.leases()).map(({ ipAddress }) => ipAddress)).toEqual(leases.map(({ ipAddress }) => ipAddress));
  }, 60_000);
});

describe('a daemon that is killed in an update', () => {
  const never = new Promise<never>(() => undefined);
  const uuid = '4b6bd1a5-3c5e-4f0e-9f11-0000000000e1';
  const handle = { name: 'cut', uuid };
  const document = `<network><name>cut</name><uuid>${uuid}</uuid><forward mode='nat'/><bridge name='lab-cut' stp='off' delay='0'/><mac address='52:54:00:11:01:e1'/>
    <ip address='192.168.184.1' prefix='24'><dhcp><range start='192.168.184.10' end='192.168.184.20'/></dhcp></ip></network>`;
  let steps = 0;
  let deadAt = Infinity;
  let died: (() => void) | undefined;

  /** Does a step, or is killed before or after it, and never comes back. */
  async function step<T>(work: () => Promise<T>): Promise<T> {
    const before = ++steps === deadAt;
    if (before) return died?.(), never;
    const result = await work();
    if (++steps === deadAt) return died?.(), never;
    return result;
  }

  function mortalCommands(): Commands {
    const real = openCommands();
    // What only reads leaves nothing behind; and the host's watches read whenever they like.
    return { ...real, run: (tool, argv, options) => step(() => real.run(tool, argv, options)) };
  }

  async function open(mortal: boolean): Promise<{ driver: NetworkDriver; host: Host }> {
    const real = await openFileStore({ etc: join(lab.folder, 'cut-etc'), run: join(lab.folder, 'cut-run') });
    const store: Store = !mortal ? real : Object.assign(Object.create(real) as Store, {
      saveLive: (record: Parameters<Store['saveLive']>[0]) => step(() => real.saveLive(record)),
      saveDefinition: (...given: Parameters<Store['saveDefinition']>) => step(() => real.saveDefinition(...given)),
    });
    const host = await openLabHost(lab, mortal ? { commands: mortalCommands() } : {});
    return { driver: await openHostDriver(host, store, silentLog), host };
  }

  /** What stands, and what is said to stand. */
  async function state(driver: NetworkDriver) {
    const file = (name: string) => readFile(join(lab.folder, 'var/dnsmasq', name), 'utf8');
    const pid = (await readFile(join(lab.folder, 'run/dnsmasq/cut.pid'), 'utf8')).trim();
    return {
      live: (await driver.networkDumpXml({ network: handle, inactive: false })).xml, saved: (await driver.networkDumpXml({ network: handle, inactive: true })).xml,
      addresses: (await runProgram('ip', ['-4', '-o', 'addr', 'show', 'dev', 'lab-cut'])).split('\n').map((line) => /inet (\S+)/.exec(line)?.[1]),
      rules: (await runProgram('nft', ['list', 'ruleset'])).split('\n').sort(),
      files: [await file('cut.conf'), await file('cut.hostsfile'), await file('cut.addnhosts')],
      dnsmasq: (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes('cut.conf'),
    };
  }

  afterEach(() => { deadAt = Infinity; });

  it.each([
    ['a DHCP host', { command: 3, section: 4, xml: "<host mac='52:54:00:00:00:0b' ip='192.168.184.50'/>" }],
    ['a range', { command: 3, section: 5, xml: "<range start='192.168.184.30' end='192.168.184.40'/>" }],
    ['an address', { command: 4, section: 3, xml: "<ip address='192.168.185.1' prefix='24'/>" }],
  ])('with %s: all of it or nothing is there', async (_, part) => {
    const request = { network: handle, live: true, config: true, dryRun: false, ...part };
    const first = await open(false);
    await first.driver.networkDefineXml({ xml: document, validate: false });
    await first.driver.networkCreate({ network: handle });
    const old = await state(first.driver);
    await first.driver.networkUpdate(request);
    const now = await state(first.driver);
    await first.driver.networkUpdate({ ...request, command: 2 });
    expect(await state(first.driver)).toEqual(old);
    await first.host.close();
    const outcomes: string[] = [];
    for (let point = 1, over = false; !over; point += 1) {
      const mortal = await open(true);
      [steps, deadAt] = [0, point];
      const death = new Promise<'dead'>((resolve) => { died = () => resolve('dead'); });
      over = await Promise.race([mortal.driver.networkUpdate(request), death]) !== 'dead';
      deadAt = Infinity;
      // It may not act any more, as a process that is gone; its watch is closed in its stead.
      await mortal.host.close();
      const next = await open(false);
      const found = await state(next.driver);
      const isNew = JSON.stringify(found) === JSON.stringify(now);
      if (!isNew) expect(found, `killed at ${point}`).toEqual(old);
      outcomes.push(isNew ? 'new' : 'old');
      if (isNew) await next.driver.networkUpdate({ ...request, command: 2 });
      expect(await state(next.driver)).toEqual(old);
      await next.host.close();
    }
    // First nothing of it, then all of it, and both were seen.
    expect(outcomes.join(' ')).toMatch(/^(old )+(new ?)+$/);
    const last = await open(false);
    await last.driver.networkDestroy({ network: handle });
    await last.driver.networkUndefine({ network: handle });
    await last.host.close();
  }, 400_000);
});
