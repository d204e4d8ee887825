/** What the driver does about what happens on its host, and what it tells of starts that fail. */
import { afterEach, expect, it } from 'vitest';
import { openHostDriver } from '../../../server/driver/host-driver.js';
import type { Host, HostEvent, NetworkPlan } from '../../../server/driver/host.js';
import { createIdleHost } from '../../../server/driver/idle-host.js';
import type { LocalNetworkDriver } from '../../../server/driver/local-driver.js';
import { createMemoryStore } from '../../../server/driver/memory-store.js';
import type { Store } from '../../../server/driver/store.js';
import { silentLog } from '../../../server/log.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { EventKind, LeaseType } from '../../../shared/gen/vnet/v1/network_driver.js';
import { until } from '../../processes.js';

const uuid = 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a00a';
const xml = `<network><name>lab</name><uuid>${uuid}</uuid><bridge name='virbr7'/><ip address='10.7.0.1' netmask='255.255.255.0'/></network>`;
const network = { name: 'lab', uuid };
const lease = { expiry: 0, family: 'ipv4' as const, mac: '52:54:00:00:00:01', address: '10.7.0.9' };

/** A driver on a host where things happen as a test says. */
interface Scene {
  driver: LocalNetworkDriver;
  store: Store;
  calls: string[];
  /** Whether the bridge stands. */
  bridge: boolean;
  /** What the next start fails with. */
  broken: Error | undefined;
  happen(event: HostEvent): void;
  /** What was told so far, without its beginning. */
  told: string[];
}

const hosts: Host[] = [];
afterEach(() => Promise.all(hosts.splice(0).map((host) => host.close())));

async function open(store = createMemoryStore()): Promise<Scene> {
  const waiting: HostEvent[] = [];
  let wake = () => {};
  let closed = false;
  const idle = createIdleHost();
  const note = (verb: string, work: (plan: NetworkPlan) => void) => async (plan: NetworkPlan) => { scene.calls.push(verb); work(plan); };
  const host: Host = {
    ...idle,
    bringUp: note('up', () => { if (scene.broken !== undefined) throw scene.broken; scene.bridge = true; }),
    tearDown: note('down', () => { scene.bridge = false; }),
    observe: async (plans) => ({ interfaces: [], routes: [], standing: plans.map(() => ({ bridge: scene.bridge, dnsmasq: true, firewall: true })) }),
    nextEvents: async () => {
      if (waiting.length === 0 && !closed) await new Promise<void>((resolve) => { wake = resolve; });
      return waiting.splice(0);
    },
    close: async () => { closed = true; wake(); },
  };
  hosts.push(host);
  const scene: Scene = { driver: undefined as never, store, calls: [], bridge: false, broken: undefined, told: [], happen: (event) => { waiting.push(event); wake(); } };
  scene.driver = await openHostDriver(host, store, silentLog);
  let begun = false;
  void (async () => {
    for await (const { kind, detail, lease: told } of scene.driver.watchNetworkEvents({ network: undefined, kinds: [], epoch: '', after: 0 })) {
      if (kind === EventKind.SUBSCRIBED) begun = true;
      else scene.told.push([EventKind[kind], detail, told === undefined ? '' : `${told.ipAddress}/${told.prefix} ${LeaseType[told.type]} ${told.interface}`].filter((part) => part !== '').join(' '));
    }
  })();
  await until('the watch', async () => begun);
  return scene;
}

async function running(): Promise<Scene> {
  const scene = await open();
  await scene.driver.networkDefineXml({ xml, validate: false });
  await scene.driver.networkCreate({ network });
  await until('the start', async () => scene.told.length === 2);
  scene.told.length = scene.calls.length = 0;
  return scene;
}

const told = (scene: Scene, count: number) => until(`${count} events`, async () => scene.told.length >= count);

it('what the host tells of a network that is up is told, of others not', async () => {
  const scene = await running();
  scene.happen({ kind: 'lease', network: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a00f', change: 'added', lease });
  for (const change of ['added', 'renewed', 'expired', 'released'] as const) scene.happen({ kind: 'lease', network: uuid, change, lease });
  scene.happen({ kind: 'repaired', network: uuid, part: 'dnsmasq', what: 'dnsmasq' });
  scene.happen({ kind: 'failed', network: uuid, part: 'dnsmasq', what: 'x' });
  await told(scene, 6);
  await scene.driver.networkDestroy({ network });
  scene.happen({ kind: 'repaired', network: uuid, part: 'dnsmasq', what: 'dnsmasq' });
  await scene.driver.networkUndefine({ network });
  await told(scene, 8);
  expect(scene.told).toEqual([
    ...['ADDED', 'RENEWED', 'EXPIRED', 'RELEASED'].map((change) => `LEASE_${change} 10.7.0.9/24 IPV4 virbr7`), 'REPAIRED dnsmasq', 'FAILED x', 'STOPPED', 'UNDEFINED',
  ]);
});

it('what the host tells makes a network degraded and healthy, and repairs are counted', async () => {
  const scene = await running();
  const status = async () => (await scene.driver.getStatus({ network })).networks[0]!;
  const words = async () => (await status()).faults.map(({ part, message }) => `${part}: ${message}`);
  const happen = async (event: Pick<HostEvent & { kind: 'repaired' }, 'part' | 'what'> & { kind: 'repaired' | 'failed' | 'recovered'; still?: string }) => {
    const before = scene.told.length;
    scene.happen({ network: uuid, ...event });
    await told(scene, before + 1);
  };
  expect(await status()).toEqual({ network, active: true, faults: [], repairs: [] });
  const before = Date.now();
  await happen({ kind: 'failed', part: 'dnsmasq', what: 'it ends' });
  const { sinceMs } = (await status()).faults[0]!;
  expect(sinceMs).toBeGreaterThanOrEqual(before);
  expect(scene.driver.figures()).toMatchObject({ degraded: 1, repairs: { bridge: 0, dnsmasq: 0 } });
  await happen({ kind: 'failed', part: 'bridge', what: 'it is down' });
  // A part has one fault, since it was the first time.
  await happen({ kind: 'repaired', part: 'dnsmasq', what: 'dnsmasq', still: 'it ends often' });
  expect(await words()).toEqual(['dnsmasq: it ends often', 'bridge: it is down']);
  expect((await status()).faults[0]!.sinceMs).toBe(sinceMs);
  await happen({ kind: 'repaired', part: 'bridge', what: 'MTU 1300' });
  await happen({ kind: 'repaired', part: 'dnsmasq', what: 'dnsmasq', still: 'it ends often' });
  expect(await words()).toEqual(['dnsmasq: it ends often']);
  await happen({ kind: 'recovered', part: 'dnsmasq', what: 'healthy again' });
  expect(await status()).toMatchObject({ faults: [], repairs: [{ part: 'dnsmasq', what: 'dnsmasq', count: 2 }, { part: 'bridge', what: 'MTU 1300', count: 1 }] });
  expect(scene.driver.figures()).toMatchObject({ degraded: 0, repairs: { bridge: 1, dnsmasq: 2, firewall: 0, forwarding: 0 } });
  expect(scene.told).toEqual(['FAILED it ends', 'FAILED it is down', 'REPAIRED dnsmasq', 'REPAIRED MTU 1300', 'REPAIRED dnsmasq', 'REPAIRED healthy again']);
  for (let n = 0; n < 12; n += 1) await happen({ kind: 'repaired', part: 'bridge', what: `MTU ${n}` });
  expect((await status()).repairs.map(({ what }) => what)).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2].map((n) => `MTU ${n}`));
});

it('a network that is stopped has nothing wrong with it, and keeps what was repaired', async () => {
  const scene = await running();
  scene.happen({ kind: 'repaired', network: uuid, part: 'firewall', what: 'firewall rules', still: 'often' });
  await told(scene, 1);
  await scene.driver.networkDestroy({ network });
  expect((await scene.driver.getStatus({ network })).networks).toMatchObject([{ active: false, faults: [], repairs: [{ part: 'firewall', count: 1 }] }]);
});

it('a network whose bridge is gone is brought up again, once, and is recorded as half-done meanwhile', async () => {
  const scene = await running();
  scene.bridge = false;
  const states: string[] = [];
  const { saveLive } = scene.store;
  scene.store.saveLive = async (record) => { states.push(record.state); await saveLive(record); };
  for (let i = 0; i < 2; i += 1) scene.happen({ kind: 'bridge-lost', network: uuid });
  await told(scene, 1);
  scene.happen({ kind: 'repaired', network: uuid, part: 'bridge', what: 'the last' });
  await told(scene, 2);
  expect({ calls: scene.calls, told: scene.told, states }).toEqual({ calls: ['down', 'up'], told: ['REPAIRED bridge virbr7', 'REPAIRED the last'], states: ['starting', 'running'] });
});

it('one that cannot be brought up again is stopped, and can be started when it is mended', async () => {
  const scene = await running();
  scene.bridge = false;
  scene.broken = new NetworkError(ErrorCode.SYSTEM_ERROR, 'File exists');
  scene.happen({ kind: 'bridge-lost', network: uuid });
  await told(scene, 2);
  expect(scene.told).toEqual(['FAILED bridge virbr7 is gone and cannot be made again: File exists', 'STOPPED']);
  expect((await scene.driver.networkIsActive({ network })).active).toBe(false);
  expect((await scene.store.load()).live).toEqual([]);
  const status = async () => (await scene.driver.getStatus({ network: undefined })).networks.find((one) => one.network!.uuid === uuid);
  expect(await status()).toMatchObject({ active: false, faults: [{ part: 'bridge', message: 'bridge virbr7 is gone and cannot be made again: File exists' }], repairs: [] });
  scene.broken = undefined;
  await scene.driver.networkCreate({ network });
  expect(await status()).toMatchObject({ active: true, faults: [] });
});

it('a network that is stopped at the same time is not brought up again', async () => {
  const scene = await running();
  scene.bridge = false;
  const stopping = scene.driver.networkDestroy({ network });
  scene.happen({ kind: 'bridge-lost', network: uuid });
  await stopping;
  await told(scene, 1);
  expect(scene.told).toEqual(['STOPPED']);
  expect(scene.calls).toEqual(['down']);
});

it('a start that fails is told with its reason', async () => {
  const scene = await open();
  await scene.driver.networkDefineXml({ xml, validate: false });
  await scene.driver.networkSetAutostart({ network, autostart: true });
  scene.broken = new NetworkError(ErrorCode.INTERNAL_ERROR, 'nft: no');
  await expect(scene.driver.networkCreate({ network })).rejects.toThrow(/nft/);
  await told(scene, 3);
  expect(scene.told).toEqual(['DEFINED', 'AUTOSTART_CHANGED on', 'FAILED start: internal error: nft: no']);
});
