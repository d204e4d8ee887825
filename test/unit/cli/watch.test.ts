/** The commands that wait for something, and those that decide about leases, on the test driver. */
import { beforeEach, describe, expect, it } from 'vitest';
import { openTestDriver } from '../../../server/driver/test-driver.js';
import { EventKind, UpdateCommand, UpdateSection, type NetworkDriver, type NetworkUpdateRequest, type WatchNetworkEventsResponse } from '../../../shared/gen/vnet/v1/network_driver.js';
import { fakeDriver, fakeNetwork } from './fake-driver.js';
import { runVnet, type Run, type Scene } from './run-vnet.js';

const network = { name: 'default', uuid: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a001' };
const other = { name: 'private', uuid: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a002' };

let driver: NetworkDriver;
beforeEach(async () => { driver = await openTestDriver(); });

/** Runs `vnet`, and does something once it watches. */
async function whileWatching(line: string, work: () => Promise<unknown>, scene: Scene = {}): Promise<Run> {
  let begun = () => {};
  const watching = new Promise<void>((resolve) => { begun = resolve; });
  const watched: NetworkDriver = Object.assign(Object.create(driver) as NetworkDriver, {
    watchNetworkEvents: async function* watch(...args: Parameters<NetworkDriver['watchNetworkEvents']>) {
      for await (const event of driver.watchNetworkEvents(...args)) {
        if (event.kind === EventKind.SUBSCRIBED) setTimeout(begun, 0);
        yield event;
      }
    },
  });
  const running = runVnet(line.split(' '), { driver: watched, ...scene });
  await watching;
  await work();
  return running;
}

const cycle = async () => {
  await driver.networkCreate({ network: other });
  await driver.networkDestroy({ network: other });
};
const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d{4}`;

describe('watch', () => {
  it('tells of each event in a line, until it has seen enough', async () => {
    const { code, out, err } = await whileWatching('watch --count 3', async () => {
      await cycle();
      await driver.networkReleaseDhcpLease({ network, ipAddress: '192.168.122.41' });
    });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(new RegExp(`^${time}: event 'started' for network private\n${time}: event 'stopped' for network private\n` +
      `${time}: event 'lease-released' for network default: 192\\.168\\.122\\.41/24 52:54:00:10:20:41 web\n\n$`));
  });

  it('tells only of what was asked for', async () => {
    const { out } = await whileWatching('-q watch private --event autostart-changed,stopped --count 2', async () => {
      await driver.networkSetAutostart({ network, autostart: false });
      await cycle();
      await driver.networkSetAutostart({ network: other, autostart: true });
    });
    expect(out.replaceAll(new RegExp(`${time}: `, 'g'), '')).toBe("event 'stopped' for network private\nevent 'autostart-changed' for network private: on\n");
  });

  it('as JSON gives a record a line, and no list', async () => {
    const { out } = await whileWatching('watch -o json --count 3', async () => {
      await cycle();
      await driver.networkReleaseDhcpLease({ network, ipAddress: '192.168.122.42' });
    });
    const records = out.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records[0]).toEqual({
      time: expect.stringMatching(/^\d{4}-.*Z$/), event: 'started', ...other, detail: null, lease: null, port: null,
      epoch: expect.any(String), sequence: expect.any(Number),
    });
    expect(records[2]).toMatchObject({ event: 'lease-released', name: 'default', lease: { address: '192.168.122.42', expires: null, family: 'ipv4' } });
  });

  it('ends with 8 if it saw nothing in its time, else with 0, and with 0 by Ctrl-C', async () => {
    expect(await runVnet(['watch', '--timeout', '0.05'], { driver })).toMatchObject({ code: 8, err: 'error: no event within 0.05 s\n' });
    expect(await whileWatching('watch --timeout 0.2', cycle)).toMatchObject({ code: 0, err: '' });
    const interrupt = new AbortController();
    expect(await whileWatching('watch', async () => interrupt.abort(), { interrupted: interrupt.signal })).toMatchObject({ code: 0, err: '', closed: 1 });
  });

  it('T25: says where events were missed, and escapes what others wrote', async () => {
    const event = (kind: EventKind, parts: Partial<WatchNetworkEventsResponse> = {}): WatchNetworkEventsResponse =>
      ({ epoch: 'e', sequence: 9, timeMs: 0, kind, network: undefined, lease: undefined, port: undefined, detail: '', ...parts });
    const fake = fakeDriver(fakeNetwork('default'));
    fake.watchNetworkEvents = async function* watch() {
      yield event(EventKind.SUBSCRIBED);
      yield event(EventKind.RESYNC);
      yield event(EventKind.FAILED, { network: { name: 'a\x1b[1m', uuid: 'u' }, detail: 'x\ny\u202e' });
    };
    const { out } = await runVnet(['-q', 'watch', '--count', '1'], { driver: fake });
    expect(out).toMatch(/^-- resync --\n.*event 'failed' for network a\\x1b\[1m: x\\x0ay\\xe2\\x80\\xae\n$/);
    const json = await runVnet(['-q', 'watch', '--count', '1', '-o', 'json'], { driver: fake });
    expect(JSON.parse(json.out.split('\n')[0]!)).toMatchObject({ event: 'resync', name: null });
  });

  it('refuses what makes no sense', async () => {
    expect(await runVnet(['watch', '--event', 'startd'], { driver })).toMatchObject({ code: 2, err: "error: unknown event type startd\nhint: did you mean 'started'?\n" });
    expect(await runVnet(['watch', '--count', '0'], { driver })).toMatchObject({ code: 2 });
    expect(await runVnet(['watch', 'nope'], { driver })).toMatchObject({ code: 3 });
  });
});

describe('net-event', () => {
  it('lists what there is, and tells of one event, or with --loop of many', async () => {
    expect(await runVnet(['net-event', '--list'], { driver })).toMatchObject({ code: 0, out: 'lifecycle\n\n' });
    expect((await whileWatching('net-event --event lifecycle', cycle)).out).toBe("event 'lifecycle' for network private: Started\nevents received: 1\n\n");
    const { code, out } = await whileWatching('net-event private --event lifecycle --loop --timeout 0.3', cycle);
    expect({ code, out }).toEqual({
      code: 0, out: "event 'lifecycle' for network private: Started\nevent 'lifecycle' for network private: Stopped\nevent loop timed out\nevents received: 2\n\n",
    });
    expect((await whileWatching('net-event --event lifecycle --timestamp', cycle)).out)
      .toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+0000: event 'lifecycle' for network private: Started\n/);
  });
});

describe('leases', () => {
  it('that are watched are shown, and then what happens to them', async () => {
    const interrupt = new AbortController();
    const { code, out } = await whileWatching('-q leases default --watch', async () => {
      await driver.networkReleaseDhcpLease({ network, ipAddress: '192.168.122.42' });
      await cycle();
      setTimeout(() => interrupt.abort(), 20);
    }, { interrupted: interrupt.signal });
    expect(code).toBe(0);
    expect(out.trimEnd().split('\n')).toEqual([
      expect.stringContaining('192.168.122.41/24'), expect.stringContaining('192.168.122.42/24'), expect.stringMatching(/event 'lease-released' .*192\.168\.122\.42/),
    ]);
  });

  it('are waited for, by what is there and by what comes', async () => {
    expect(await runVnet(['wait-lease', 'default', '--mac', '52:54:00:10:20:41', '-q'], { driver })).toMatchObject({ code: 0, out: '192.168.122.41\n' });
    expect(await runVnet(['wait-lease', 'default', '52:54:00:10:20:99', '--timeout', '0.05'], { driver })).toMatchObject({ code: 8, err: 'error: no lease of 52:54:00:10:20:99 on network default within 0.05 s\n' });
    expect(await runVnet(['wait-lease', 'default', 'x'], { driver })).toMatchObject({ code: 2 });
    const lease = { interface: 'virbr0', expiryTime: 0, type: 1, mac: '52:54:00:10:20:99', iaid: '', ipAddress: '192.168.122.99', prefix: 24, hostname: '', clientId: '' };
    const fake = fakeDriver(fakeNetwork('default'));
    fake.watchNetworkEvents = async function* watch() {
      for (const [kind, mac] of [[EventKind.SUBSCRIBED, ''], [EventKind.LEASE_ADDED, '52:54:00:10:20:98'], [EventKind.LEASE_ADDED, lease.mac]] as const) {
        yield { epoch: 'e', sequence: 1, timeMs: 0, kind, network, lease: { ...lease, mac }, port: undefined, detail: '' };
      }
    };
    expect(await runVnet(['wait-lease', 'default', '52:54:00:10:20:99', '-o', 'json'], { driver: fake })).toMatchObject({ code: 0, out: expect.stringContaining('"address": "192.168.122.99"') });
  });

  it('are taken back', async () => {
    expect(await runVnet(['release', 'default', '192.168.122.41'], { driver })).toMatchObject({ code: 0, out: 'Address 192.168.122.41 of network default released\n\n' });
    expect(await runVnet(['release', 'default', '192.168.122.41'], { driver })).toMatchObject({ code: 4, err: expect.stringContaining('has no lease of 192.168.122.41') });
    expect(await runVnet(['release', 'default', 'x'], { driver })).toMatchObject({ code: 2 });
  });

  it('are made permanent: found by address or MAC, live and saved, in the subnet that they are of', async () => {
    const asked: NetworkUpdateRequest[] = [];
    const lease = { interface: 'virbr0', expiryTime: 0, iaid: '', prefix: 24, hostname: "o'web" };
    const fake = fakeDriver(fakeNetwork('default', {
      active: true, addresses: ['192.168.122.1/24', 'fd00::1/64'],
      leases: [
        { ...lease, type: 1, mac: '52:54:00:10:20:41', ipAddress: '192.168.122.41', clientId: '' },
        { ...lease, type: 2, mac: '', ipAddress: 'fd00::41', clientId: '00:03:00:01:52:54:00:10:20:42' },
      ],
    }));
    fake.networkUpdate = async (request) => { asked.push(request); return { live: true, config: true, changes: [] }; };
    expect(await runVnet(['reserve', 'default', '52:54:00:10:20:41'], { driver: fake })).toMatchObject({ code: 0, out: 'Address 192.168.122.41 of network default reserved for 52:54:00:10:20:41\n\n' });
    await runVnet(['reserve', 'default', 'fd00:0::41', '--name', 'six'], { driver: fake });
    expect(asked).toEqual([
      expect.objectContaining({
        command: UpdateCommand.ADD_LAST, section: UpdateSection.IP_DHCP_HOST, parentIndex: 0, live: true, config: true,
        xml: "<host mac='52:54:00:10:20:41' name='o&#39;web' ip='192.168.122.41'/>",
      }),
      expect.objectContaining({ parentIndex: 1, xml: "<host id='00:03:00:01:52:54:00:10:20:42' name='six' ip='fd00::41'/>" }),
    ]);
    fake.networks.get('default')!.persistent = false;
    await runVnet(['reserve', 'default', '192.168.122.41'], { driver: fake });
    expect(asked[2]).toMatchObject({ live: true, config: false });
    expect(await runVnet(['reserve', 'default', '192.168.122.9'], { driver: fake })).toMatchObject({ code: 3, err: expect.stringContaining('no lease of 192.168.122.9') });
  });
});
