/** The fault tests of the reference that concern self-repair: what others alter of a network that is up is put right within two seconds, told and logged. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openConnection, type Connection } from '../../client/connection.js';
import type { Network } from '../../client/network.js';
import { EventKind, type WatchNetworkEventsResponse } from '../../shared/gen/vnet/v1/network_driver.js';
import { until } from '../processes.js';
import { openLab, runProgram, type Lab } from './lab.js';

/** What the project promises, in milliseconds; a machine that is busy with other tests gets longer. */
const mendedWithinMs = 4000;
const bridge = 'lab-rel';
const xml = `<network><name>rel</name><forward mode='nat'/><bridge name='${bridge}' stp='off' delay='0'/><mtu size='1400'/>
  <ip address='10.78.6.1' prefix='24'/><ip family='ipv6' address='fd00:78:6::1' prefix='64'/>
  <route address='10.79.0.0' prefix='16' gateway='10.78.6.2'/></network>`;

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
  const startedMs = performance.now();
  came = [];
  watching = (async () => { for await (const event of connection.watch()) came.push(event); })();
  await until('the watch', async () => came.length > 0);
  // Bridges are looked at once when the monitor has begun: what is noticed after that was heard.
  await until('the look at the beginning is over', async () => performance.now() - startedMs > 2000);
}, 60_000);
afterEach(async () => {
  await network.destroy().catch(() => undefined);
  await connection.close();
  await watching;
  await lab.close();
});

/** What is seen of the bridge that a repair has to bring back. */
async function state(): Promise<unknown> {
  const [link] = JSON.parse(await runProgram('ip', ['-json', '-details', 'addr', 'show', 'dev', bridge])) as
    [{ flags: string[]; mtu: number; linkinfo: { info_data: { stp_state: number } }; addr_info: { local: string; prefixlen: number; scope: string }[] }];
  const routes = await runProgram('ip', ['route', 'show', 'dev', bridge, 'proto', 'static']);
  return {
    up: link.flags.includes('UP'), mtu: link.mtu, stp: link.linkinfo.info_data.stp_state, route: routes.split(' ')[0],
    addresses: link.addr_info.filter(({ scope }) => scope === 'global').map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort(),
  };
}

/** Waits for the next repair after some events, and tells how long it took. */
async function repaired(from: number): Promise<string> {
  const brokenMs = Date.now();
  const event = await until('a repair', async () => came.slice(from).find(({ kind }) => kind === EventKind.REPAIRED), mendedWithinMs);
  console.log(`${event.detail}: ${event.timeMs - brokenMs} ms`);
  return event.detail;
}

const whole = { up: true, mtu: 1400, stp: 0, route: '10.79.0.0/16', addresses: ['10.78.6.1/24', 'fd00:78:6::1/64'] };

it.each<[string, string[], RegExp]>([
  ['set down by hand', ['link', 'set', bridge, 'down'], /set down/],
  ['with its IPv4 address removed', ['addr', 'del', '10.78.6.1/24', 'dev', bridge], /address 10\.78\.6\.1\/24 missing/],
  ['with all its addresses flushed', ['addr', 'flush', 'dev', bridge], /address 10\.78\.6\.1\/24 missing, address fd00:78:6::1\/64 missing/],
  ['with another MTU', ['link', 'set', bridge, 'mtu', '1300'], /MTU 1300/],
  ['with STP turned on', ['link', 'set', bridge, 'type', 'bridge', 'stp_state', '1'], /STP on/],
  ['with its route removed', ['route', 'del', '10.79.0.0/16'], /route 10\.79\.0\.0\/16 missing/],
])('F11: a bridge %s is as it was', async (_, argv, what) => {
  expect(await state()).toEqual(whole);
  await runProgram('ip', argv);
  expect(await repaired(came.length)).toMatch(what);
  expect(await state()).toEqual(whole);
  expect(came.filter(({ kind }) => kind === EventKind.REPAIRED)).toHaveLength(1);
}, 60_000);

it('F11: what an update changes is nothing to mend', async () => {
  const ip = { section: 'ip', xml: "<ip address='10.78.7.1' prefix='24'/>" } as const;
  await network.update({ command: 'add-last', ...ip }, { live: true });
  expect(await state()).toEqual({ ...whole, addresses: ['10.78.6.1/24', '10.78.7.1/24', 'fd00:78:6::1/64'] });
  // What is guarded now is what the update made of it.
  await runProgram('ip', ['addr', 'del', '10.78.7.1/24', 'dev', bridge]);
  expect(await repaired(came.length)).toMatch(/address 10\.78\.7\.1\/24 missing/);
  await network.update({ command: 'delete', ...ip }, { live: true });
  await expect(until('a repair', async () => came.filter(({ kind }) => kind === EventKind.REPAIRED).length > 1, 1500)).rejects.toThrow();
  expect(await state()).toEqual(whole);
}, 60_000);

it('F11: somebody who undoes repairs over and over is told of once, and answered ever more rarely', async () => {
  const down = async () => runProgram('ip', ['link', 'set', bridge, 'down']);
  for (let i = 0; i < 5; i += 1) {
    const from = came.length;
    await down();
    await repaired(from);
  }
  expect(came.filter(({ kind }) => kind === EventKind.FAILED).map(({ detail }) => detail)).toEqual([expect.stringMatching(/over and over/)]);
  const degraded = { active: true, faults: [{ part: 'bridge', message: expect.stringMatching(/over and over/) }] };
  expect(await network.status()).toMatchObject({ ...degraded, repairs: [{ part: 'bridge', count: 5 }] });
  const [from, began] = [came.length, performance.now()];
  await down();
  await repaired(from);
  expect(performance.now() - began).toBeGreaterThan(700);
  expect(came.filter(({ kind }) => kind === EventKind.FAILED)).toHaveLength(1);
  // It is repaired, and degraded as long as nobody knows whether that lasts.
  expect(await network.status()).toMatchObject(degraded);
  await network.destroy();
  await network.start();
  expect(await network.status()).toMatchObject({ active: true, faults: [] });
}, 60_000);

it('F11: forwarding that another tool turned off is on again', async () => {
  for (const key of ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']) {
    const from = came.length;
    await runProgram('sysctl', ['-qw', `${key}=0`]);
    expect(await repaired(from)).toBe('forwarding');
    expect((await runProgram('sysctl', ['-n', key])).trim()).toBe('1');
  }
}, 60_000);
