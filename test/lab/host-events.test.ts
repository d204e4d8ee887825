/**
 * What happens on a host is told: leases as real guests get them and give them
 * back, and what is mended after others broke it.
 */
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openConnection, type Connection } from '../../client/connection.js';
import type { Network } from '../../client/network.js';
import { canonicalAddress } from '../../shared/address.js';
import { ErrorCode } from '../../shared/errors.js';
import { EventKind, LeaseType, type WatchNetworkEventsResponse } from '../../shared/gen/vnet/v1/network_driver.js';
import { until } from '../processes.js';
import { inNamespace } from './place.js';
import { openLab, runProgram, type Guest, type Lab } from './lab.js';

/** What the project promises: of a lease, and of what is mended. A machine that is busy with other tests gets longer for the second. */
const leaseWithinMs = 1000;
const mendedWithinMs = 6000;

const xml = `<network><name>ev</name><forward mode='nat'/><bridge name='lab-ev' stp='off' delay='0'/>
  <ip address='10.78.5.1' prefix='24'><dhcp><range start='10.78.5.10' end='10.78.5.99'/></dhcp></ip>
  <ip family='ipv6' address='fd00:78:5::1' prefix='64'><dhcp><range start='fd00:78:5::10' end='fd00:78:5::99'/></dhcp></ip></network>`;
const dhcp6Client = new URL('dhcp6-client.mjs', import.meta.url).pathname;

let lab: Lab;
let connection: Connection;
let network: Network;
let came: WatchNetworkEventsResponse[];
let watching: Promise<void>;

beforeEach(async () => {
  lab = await openLab();
  connection = await openConnection(`vnet:///embed?root=${lab.folder}`);
  network = (await connection.defineXml(xml)).network;
  await network.start();
  came = [];
  watching = (async () => { for await (const event of connection.watch()) came.push(event); })();
  await until('the watch', async () => came.length > 0);
}, 60_000);
afterEach(async () => {
  await network.destroy().catch(() => undefined);
  await runProgram('ip', ['link', 'delete', 'lab-ev']).catch(() => undefined);
  await connection.close();
  await watching;
  await lab.close();
});

/** Waits for an event of a kind that came after others. */
const event = (kind: EventKind, timeoutMs: number, from = 0) =>
  until(EventKind[kind], async () => came.slice(from).find((one) => one.kind === kind), timeoutMs);
const pidFile = () => join(lab.folder, 'run/vnet/dnsmasq/ev.pid');
const pid = async () => Number(await readFile(pidFile(), 'utf8'));

describe('a lease', () => {
  /** Leases, and gives back when it ends, which udhcpc does at a signal. */
  const leaseAndRelease = async (guest: Guest) => {
    const from = came.length;
    const [program, ...argv] = inNamespace(guest.name, 'udhcpc', '-i', 'eth0', '-f', '-R', '-n', '-t', '8', '-T', '4', '-x', `hostname:${guest.name}`, '-s', '/bin/true');
    const client = spawn(program, argv, { stdio: 'ignore' });
    const ended = new Promise((resolve) => client.once('exit', resolve));
    await event(EventKind.LEASE_RENEWED, 20_000, from);
    client.kill('SIGTERM');
    await ended;
  };

  it('is told within a second of its ACK, when it is renewed, and when its guest gives it back', async () => {
    const guest = await lab.guest('lab-ev', 'guest');
    const { address } = await guest.lease();
    const acknowledged = Date.now();
    const added = await event(EventKind.LEASE_ADDED, leaseWithinMs);
    expect(added).toMatchObject({
      network: { name: 'ev', uuid: network.uuid },
      lease: { interface: 'lab-ev', type: LeaseType.IPV4, mac: guest.mac, ipAddress: address, prefix: 24, hostname: 'guest', iaid: '' },
    });
    expect(added.timeMs - acknowledged).toBeLessThan(leaseWithinMs);
    console.log(`lease added: ${added.timeMs - acknowledged} ms after the client had it`);
    expect(added.lease).toEqual((await network.leases())[0]);
    expect(await network.leases({ mac: guest.mac.toUpperCase() })).toHaveLength(1);
    expect(await network.leases({ mac: '52:54:00:00:00:99' })).toEqual([]);

    await until('the next second', async () => Date.now() / 1000 > added.lease!.expiryTime - 3600 + 1);
    await leaseAndRelease(guest);
    expect((await event(EventKind.LEASE_RENEWED, 0)).lease!.expiryTime).toBeGreaterThan(added.lease!.expiryTime);
    const released = Date.now();
    expect((await event(EventKind.LEASE_RELEASED, leaseWithinMs)).lease).toMatchObject({ ipAddress: address, mac: guest.mac });
    expect(came.at(-1)!.timeMs - released).toBeLessThan(leaseWithinMs);
    console.log(`lease released: ${came.at(-1)!.timeMs - released} ms after the client ended`);
    expect(await network.leases()).toEqual([]);
  }, 60_000);

  it('of either family can be taken back, and given to another guest', async () => {
    const guest = await lab.guest('lab-ev', 'guest');
    const { address } = await guest.lease();
    const given = await until('a DHCPv6 lease', () => guest.exec('node', dhcp6Client, 'eth0', guest.mac));
    const six = canonicalAddress(given.trim())!.address;
    await until('both leases', async () => came.filter(({ kind }) => kind === EventKind.LEASE_ADDED).length === 2);
    expect(came.at(-1)!.lease).toMatchObject({ type: LeaseType.IPV6, ipAddress: six, mac: guest.mac, iaid: String(0x01020304), prefix: 64, clientId: `00:03:00:01:${guest.mac}` });
    expect((await network.leases()).map(({ ipAddress }) => ipAddress)).toEqual([address, six]);
    expect(await network.leases({ mac: guest.mac })).toHaveLength(2);
    const before = await pid();
    for (const each of [address, six]) {
      const from = came.length;
      await network.releaseLease(each);
      expect((await network.leases()).map(({ ipAddress }) => ipAddress)).not.toContain(each);
      expect((await event(EventKind.LEASE_RELEASED, leaseWithinMs, from)).lease!.ipAddress).toBe(each);
      await expect(network.releaseLease(each)).rejects.toMatchObject({ code: ErrorCode.OPERATION_INVALID, message: expect.stringContaining(each) });
    }
    expect(await pid()).toBe(before);
    expect(came.filter(({ kind }) => kind === EventKind.LEASE_RELEASED)).toHaveLength(2);
  }, 60_000);

  it('that was there before the daemon is no news', async () => {
    const guest = await lab.guest('lab-ev', 'guest');
    await guest.lease();
    await connection.close();
    await watching;
    connection = await openConnection(`vnet:///embed?root=${lab.folder}`);
    network = await connection.lookupByName('ev');
    came = [];
    watching = (async () => { for await (const one of connection.watch()) came.push(one); })();
    await until('the watch', async () => came.length > 0);
    const second = await lab.guest('lab-ev', 'second');
    await second.lease();
    expect((await event(EventKind.LEASE_ADDED, leaseWithinMs)).lease!.mac).toBe(second.mac);
  }, 60_000);
});

describe('what others break is mended, and told', () => {
  it('F10: a bridge that was removed by hand, with all that is on it', async () => {
    for (let i = 0; i < 2; i += 1) {
      const from = came.length;
      await runProgram('ip', ['link', 'delete', 'lab-ev']);
      const broken = Date.now();
      const repaired = await event(EventKind.REPAIRED, mendedWithinMs, from);
      expect(repaired).toMatchObject({ network: { name: 'ev' }, detail: 'bridge lab-ev' });
      console.log(`bridge: ${repaired.timeMs - broken} ms`);
      expect(await runProgram('ip', ['addr', 'show', 'lab-ev'])).toContain('10.78.5.1/24');
      const guest = await lab.guest('lab-ev', `guest${i}`);
      await guest.lease();
      await guest.close();
    }
    expect(came.filter(({ kind }) => kind === EventKind.REPAIRED)).toHaveLength(2);
    expect(await network.isActive()).toBe(true);
  }, 60_000);

  it('F10: one that cannot be made again stops its network, and says why', async () => {
    await runProgram('ip', ['-batch', '-'], 'link delete lab-ev\nlink add lab-ev type bridge\n');
    expect((await event(EventKind.FAILED, mendedWithinMs)).detail).toMatch(/bridge lab-ev is gone .*File exists/);
    await event(EventKind.STOPPED, mendedWithinMs);
    expect(await network.isActive()).toBe(false);
    await runProgram('ip', ['link', 'delete', 'lab-ev']);
    await network.start();
  });

  it('F7: a dnsmasq that was killed, with its leases', async () => {
    const guest = await lab.guest('lab-ev', 'guest');
    const { address } = await guest.lease();
    const killed = await pid();
    process.kill(killed, 'SIGKILL');
    const broken = Date.now();
    const repaired = await event(EventKind.REPAIRED, mendedWithinMs);
    console.log(`dnsmasq: ${repaired.timeMs - broken} ms`);
    expect(repaired.detail).toBe('dnsmasq');
    expect(await pid()).not.toBe(killed);
    expect((await network.leases()).map(({ ipAddress }) => ipAddress)).toEqual([address]);
    expect((await guest.lease()).address).toBe(address);
    expect(came.filter(({ kind }) => kind === EventKind.LEASE_RELEASED)).toEqual([]);
  }, 60_000);

  it('F12: rules that were flushed', async () => {
    await runProgram('nft', ['flush', 'ruleset']);
    expect((await event(EventKind.REPAIRED, mendedWithinMs)).detail).toBe('firewall rules');
  });

  it('but what is asked for is nothing to mend', async () => {
    for (let i = 0; i < 3; i += 1) {
      await network.destroy();
      await network.start();
    }
    await network.destroy();
    // A removal is heard, and looked at, well within this time.
    const from = came.length;
    await expect(event(EventKind.REPAIRED, 2000, from)).rejects.toThrow();
    expect(new Set(came.map(({ kind }) => EventKind[kind]))).toEqual(new Set(['SUBSCRIBED', 'STARTED', 'STOPPED']));
    expect(await readdir(join(lab.folder, 'run/vnet/dnsmasq'))).toEqual([]);
    expect(await monitors()).toBe(1);
  });
});

/** How many programs listen for what happens to links. */
async function monitors(): Promise<number> {
  return (await runProgram('ps', ['-eo', 'args'])).split('\n').filter((line) => / monitor link address route netconf$/.test(line)).length;
}
