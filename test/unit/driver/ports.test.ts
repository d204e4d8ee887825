/** Ports when the host or the store fails, when the daemon starts anew, and when a bridge is lost. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Journal } from '../../../server/driver/events.js';
import { noRepairs } from '../../../server/driver/health.js';
import type { Host, PortPlan } from '../../../server/driver/host.js';
import { createIdleHost } from '../../../server/driver/idle-host.js';
import type { Estate } from '../../../server/driver/lifecycle.js';
import { LocalNetworkDriver } from '../../../server/driver/local-driver.js';
import { createMemoryStore } from '../../../server/driver/memory-store.js';
import { recover } from '../../../server/driver/recovery.js';
import { Register } from '../../../server/driver/register.js';
import { replug } from '../../../server/driver/replug.js';
import type { PortRecord, Store } from '../../../server/driver/store.js';
import { silentLog } from '../../../server/log.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { EventKind, type Attachment } from '../../../shared/gen/vnet/v1/network_driver.js';
import { listParameters, nameParameters } from '../../../shared/port-parameters.js';

const network = { name: 'lab', uuid: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a00a' };
const labXml = (inner = "<bandwidth><inbound average='1000'/></bandwidth>") =>
  `<network><name>lab</name><uuid>${network.uuid}</uuid><bridge name='lab0'/>${inner}<ip address='10.7.0.1' prefix='24'/></network>`;
const uuidOf = (n: number) => `00000000-aaaa-4bbb-8ccc-00000000000${n}`;
const handle = (n: number) => ({ network, uuid: uuidOf(n) });
const portXml = (n: number, more = '') => `<networkport><uuid>${uuidOf(n)}</uuid><owner><name>guest${n}</name><uuid>11111111-2222-4333-8444-555555555555</uuid></owner>
  <mac address='52:54:00:00:00:0${n}'/>${more}</networkport>`;
const floor = (kbps: number) => `<bandwidth><inbound floor='${kbps}'/></bandwidth>`;
const tap: Attachment = { tap: { device: '', owner: '', group: '', queues: 0 } };
const existing: Attachment = { existing: { device: 'vif1.0' } };

/** A host on which devices come and go, and which fails where a test says. */
class PortHost {
  readonly idle = createIdleHost();
  /** What is plugged in, by UUID. */
  readonly plugged = new Map<string, PortPlan>();
  /** Devices that are there, plugged in or not. */
  readonly devices = new Set<string>(['vif1.0']);
  readonly calls: string[] = [];
  /** The calls that fail. */
  readonly broken = new Set<string>();
  /** The bridges are gone, until something is brought up. */
  bridgesLost = false;
  pool: Awaited<ReturnType<Host['pool']>> = [];

  readonly host: Host = {
    ...this.idle,
    bringUp: this.step('bringUp', async (plan) => {
      await this.idle.bringUp(plan);
      this.bridgesLost = false;
    }),
    tearDown: this.step('tearDown', async (plan, options) => {
      this.plugged.clear();
      await this.idle.tearDown(plan, options);
    }),
    observe: async (plans) => {
      const seen = await this.idle.observe(plans);
      const standing = seen.standing.map((each) => ({ ...each, bridge: each.bridge && !this.bridgesLost }));
      return { ...seen, standing, interfaces: [...seen.interfaces, ...this.devices] };
    },
    pool: async () => this.pool,
    attach: this.step('attach', async (_, port) => {
      const { attachment } = port;
      if (attachment?.type === 'existing' && !this.devices.has(attachment.device)) throw new NetworkError(ErrorCode.SYSTEM_ERROR, `no device '${attachment.device}'`);
      if (attachment !== undefined) this.devices.add(attachment.device);
      this.plugged.set(port.uuid, port);
    }),
    detach: this.step('detach', async (_, port, options) => {
      if (port.attachment !== undefined && port.attachment.type !== 'existing' && options?.keepDevice !== true) this.devices.delete(port.attachment.device);
      this.plugged.delete(port.uuid);
    }),
    reshape: this.step('reshape', async (_, __, after) => { this.plugged.set(after.uuid, after); }),
  };

  private step<A extends unknown[]>(name: string, work: (...argv: A) => Promise<void>): (...argv: A) => Promise<void> {
    return async (...argv) => {
      this.calls.push(name);
      if (this.broken.has(name)) throw new NetworkError(ErrorCode.INTERNAL_ERROR, `${name} fails`);
      await work(...argv);
    };
  }
}

let machine: PortHost;
let memory: Store;
let events: [kind: string, port: string | undefined, detail: string][];

/** What a network's own coming and going is told by: not what these tests are about. */
const comings: readonly EventKind[] = [EventKind.DEFINED, EventKind.UNDEFINED, EventKind.STARTED];

/** A daemon over the machine and the store, which outlive it. */
async function startDaemon(store: Store = memory): Promise<{ driver: LocalNetworkDriver; estate: Estate }> {
  const journal = new Journal();
  journal.record = (kind, _, { port, detail = '' } = {}) => {
    if (!comings.includes(kind)) events.push([EventKind[kind]!, port?.uuid, detail]);
  };
  const estate: Estate = { register: new Register(), host: machine.host, store, journal, repairs: noRepairs(), log: silentLog };
  await recover(estate);
  return { driver: new LocalNetworkDriver('host', estate), estate };
}

const create = (driver: LocalNetworkDriver, n: number, more = '', attachment?: Attachment) =>
  driver.networkPortCreateXml({ network, xml: portXml(n, more), reclaim: false, validate: true, attachment });
const list = async (driver: LocalNetworkDriver) => (await driver.networkListAllPorts({ network })).ports.map(({ uuid }) => uuid);
const records = async () => (await memory.load()).ports.map(({ uuid, state }) => [uuid, state]);

async function startLab(store?: Store, inner?: string) {
  const daemon = await startDaemon(store);
  await daemon.driver.networkDefineXml({ xml: labXml(inner), validate: true });
  await daemon.driver.networkCreate({ network });
  return daemon;
}

beforeEach(() => {
  machine = new PortHost();
  memory = createMemoryStore();
  events = [];
});

describe('a port that cannot be made', () => {
  it.each(['on the host', 'in the store, before', 'in the store, after'])('%s leaves nothing behind', async (where) => {
    const state = where === 'in the store, before' ? 'adding' : where === 'in the store, after' ? 'plugged' : undefined;
    let broken = true;
    const store: Store = { ...memory, savePort: async (record) => {
      if (broken && record.state === state) throw new NetworkError(ErrorCode.SYSTEM_ERROR, 'disk full');
      await memory.savePort(record);
    } };
    const { driver } = await startLab(store);
    if (state === undefined) machine.broken.add('attach');
    await expect(create(driver, 1, floor(900), tap)).rejects.toThrow(state === undefined ? /attach fails/ : /disk full/);
    expect([await list(driver), await records(), [...machine.devices], machine.plugged.size, events]).toEqual([[], [], ['vif1.0'], 0, []]);
    expect((await driver.networkDumpXml({ network, inactive: false })).xml).not.toContain('connections');
    broken = false;
    machine.broken.clear();
    // Its floor, its class, its device and its UUID are free again.
    const made = await create(driver, 1, floor(1000), tap);
    expect([made.device, /classID='(\d+)'/.exec(made.xml)?.[1]]).toEqual(['vnet0', '3']);
    expect(events).toEqual([['PORT_ADDED', uuidOf(1), '']]);
  });

  it('shows its own error, not that of the way back', async () => {
    const { driver } = await startLab({ ...memory, savePort: async (record) => { if (record.state === 'plugged') throw new Error('first'); await memory.savePort(record); } });
    machine.broken.add('detach');
    await expect(create(driver, 1)).rejects.toThrow('first');
  });
});

describe('a port that cannot be removed', () => {
  it('stays, and can be removed again', async () => {
    const { driver } = await startLab();
    await create(driver, 1, '', tap);
    machine.broken.add('detach');
    await expect(driver.networkPortDelete({ port: handle(1) })).rejects.toThrow(/detach fails/);
    expect([await list(driver), await records()]).toEqual([[uuidOf(1)], [[uuidOf(1), 'plugged']]]);
    machine.broken.clear();
    await driver.networkPortDelete({ port: handle(1) });
    expect([await list(driver), await records(), [...machine.devices]]).toEqual([[], [], ['vif1.0']]);
    expect(events.map(([kind]) => kind)).toEqual(['PORT_ADDED', 'PORT_REMOVED']);
  });
});

describe('a change of bandwidth', () => {
  it('reaches the host with the class of the floor', async () => {
    const { driver } = await startLab();
    await create(driver, 1);
    await driver.networkPortSetParameters({ port: handle(1), parameters: listParameters({ 'inbound.floor': 400 }) });
    expect(machine.plugged.get(uuidOf(1))?.bandwidth).toEqual({ classId: 3, inbound: { floor: 400 } });
  });

  it.each(['host', 'store'])('that fails in the %s is none at all', async (where) => {
    let broken = false;
    const { driver } = await startLab({ ...memory, savePort: async (record) => { if (broken) throw new Error('disk full'); await memory.savePort(record); } });
    await create(driver, 1, floor(400));
    const before = machine.plugged.get(uuidOf(1));
    if (where === 'host') machine.broken.add('reshape');
    else broken = true;
    await expect(driver.networkPortSetParameters({ port: handle(1), parameters: listParameters({ 'inbound.floor': 500 }) })).rejects.toThrow();
    expect(machine.plugged.get(uuidOf(1))).toEqual(before);
    expect(nameParameters((await driver.networkPortGetParameters({ port: handle(1) })).parameters)['inbound.floor']).toBe(400);
    broken = false;
    await create(driver, 2, floor(600));
  });
});

describe('a daemon that starts anew', () => {
  it('knows every port, its class, its count and its device, and touches none', async () => {
    const { driver } = await startLab();
    const made = [await create(driver, 1, floor(300), tap), await create(driver, 2, floor(200)), await create(driver, 3, '', existing)];
    await driver.networkPortDelete({ port: handle(1) });
    const before = [await list(driver), (await driver.networkDumpXml({ network, inactive: false })).xml];
    machine.calls.length = 0;
    const { driver: next } = await startDaemon();
    expect([await list(next), (await next.networkDumpXml({ network, inactive: false })).xml]).toEqual(before);
    expect(machine.calls).toEqual([]);
    expect((await next.networkPortGetXmlDesc({ port: handle(2) })).xml).toBe(made[1]!.xml);
    expect((await next.networkPortGetXmlDesc({ port: handle(3) })).device).toBe('vif1.0');
    expect((await create(next, 4, floor(800))).xml).toContain("classID='3'");
    await expect(create(next, 5, floor(1))).rejects.toThrow(/overcommit/);
  });

  it('makes a tap device again that is gone, and tells of one that it cannot make', async () => {
    const { driver } = await startLab();
    await create(driver, 1, '', tap);
    await create(driver, 2, '', existing);
    machine.devices.clear();
    events = [];
    const { driver: next } = await startDaemon();
    expect([...machine.devices]).toEqual(['vnet0']);
    expect(events).toEqual([['FAILED', uuidOf(2), expect.stringMatching(/'guest2' could not be plugged in again: no device 'vif1\.0'/)]]);
    expect(await list(next)).toEqual([uuidOf(1), uuidOf(2)]);
    expect((await next.networkDumpXml({ network, inactive: false })).xml).toContain("connections='1'");
    machine.devices.add('vif1.0');
    const { driver: last } = await startDaemon();
    expect(machine.plugged.has(uuidOf(2))).toBe(true);
    expect((await last.networkDumpXml({ network, inactive: false })).xml).toContain("connections='2'");
  });

  it.each(['adding', 'removing'] as const)('undoes a port that was left half-done: %s', async (state) => {
    const { driver } = await startLab();
    await create(driver, 1, floor(1000), tap);
    const [record] = (await memory.load()).ports as [PortRecord];
    await memory.savePort({ ...record, state });
    const { driver: next } = await startDaemon();
    expect([await list(next), await records(), [...machine.devices], machine.plugged.size]).toEqual([[], [], ['vif1.0'], 0]);
    await create(next, 1, floor(1000));
  });

  it('takes away what it made for a transient network that is gone', async () => {
    const { driver } = await startDaemon();
    await driver.networkCreateXml({ xml: labXml(), validate: true });
    await create(driver, 1, '', tap);
    const [left] = (await memory.load()).live;
    await memory.saveLive({ ...left!, state: 'stopping' });
    await startDaemon();
    expect([await records(), [...machine.devices]]).toEqual([[], ['vif1.0']]);
  });

  it('forgets the ports of a network that is not known any more, with the devices it made for them', async () => {
    const { driver } = await startLab();
    await create(driver, 1);
    await create(driver, 2, '', tap);
    await driver.networkDestroy({ network, force: true });
    // The daemon is killed when it has removed the definition and has not come to the ports.
    await memory.removeDefinition('lab');
    await startDaemon();
    expect([await records(), [...machine.devices]]).toEqual([[], ['vif1.0']]);
  });
});

describe('a network that is stopped by force', () => {
  it('leaves guests their devices, and plugs them in again when it starts, also after a restart of the daemon', async () => {
    const { driver } = await startLab();
    await create(driver, 1, '', tap);
    await create(driver, 2, '', existing);
    await expect(driver.networkDestroy({ network })).rejects.toThrow(/in use by 'guest1' and 'guest2'/);
    await driver.networkDestroy({ network, force: true });
    expect([machine.plugged.size, [...machine.devices], await records()]).toEqual([0, ['vif1.0', 'vnet0'], [[uuidOf(1), 'unplugged'], [uuidOf(2), 'unplugged']]]);
    const { driver: next } = await startDaemon();
    expect(await list(next)).toEqual([uuidOf(1), uuidOf(2)]);
    await next.networkCreate({ network });
    expect([...machine.plugged.keys()]).toEqual([uuidOf(1), uuidOf(2)]);
    expect((await next.networkDumpXml({ network, inactive: false })).xml).toContain("connections='2'");
  });

  it('follows its new definition at the next start; a port that does not fit holds nobody up', async () => {
    const { driver } = await startLab();
    await create(driver, 1, floor(600), tap);
    await create(driver, 2, floor(300));
    await driver.networkDestroy({ network, force: true });
    await driver.networkDefineXml({ xml: labXml("<bandwidth><inbound average='500'/></bandwidth>").replace('lab0', 'lab1'), validate: true });
    events = [];
    await driver.networkCreate({ network });
    expect(machine.plugged.get(uuidOf(2))).toMatchObject({ plug: { bridge: 'lab1' }, bandwidth: { classId: 4 } });
    expect(machine.plugged.has(uuidOf(1))).toBe(false);
    expect(events).toEqual([['FAILED', uuidOf(1), expect.stringMatching(/overcommit average=500/)]]);
    expect((await driver.networkDumpXml({ network, inactive: false })).xml).toContain("connections='1'");
    await driver.networkPortDelete({ port: handle(1) });
    expect([...machine.devices]).toEqual(['vif1.0']);
  });

  it('takes its guests off a bridge that is not its own', async () => {
    const { driver } = await startDaemon();
    await driver.networkDefineXml({ xml: `<network><name>lab</name><uuid>${network.uuid}</uuid><forward mode='bridge'/><bridge name='br9'/></network>`, validate: true });
    await driver.networkCreate({ network });
    await create(driver, 1, '', tap);
    machine.plugged.set('somebody', machine.plugged.get(uuidOf(1))!);
    machine.host.tearDown = async () => undefined;
    await driver.networkDestroy({ network, force: true });
    expect([[...machine.plugged.keys()], machine.devices.has('vnet0')]).toEqual([['somebody'], true]);
  });

  it('loses its ports if it is undefined, or was transient', async () => {
    const { driver } = await startLab();
    await create(driver, 1, '', tap);
    await driver.networkDestroy({ network, force: true });
    await driver.networkUndefine({ network });
    expect([await records(), [...machine.devices], events.at(-1)]).toEqual([[], ['vif1.0'], ['PORT_REMOVED', uuidOf(1), '']]);
    await driver.networkCreateXml({ xml: labXml(), validate: true });
    await create(driver, 2, '', tap);
    await driver.networkDestroy({ network, force: true });
    expect([await records(), [...machine.devices], events.slice(-2)]).toEqual([[], ['vif1.0'], [['PORT_REMOVED', uuidOf(2), ''], ['STOPPED', undefined, '']]]);
  });

  it('keeps its ports plugged in if it cannot be stopped', async () => {
    const { driver } = await startLab();
    await create(driver, 1, '', tap);
    machine.broken.add('tearDown');
    await expect(driver.networkDestroy({ network, force: true })).rejects.toThrow(/tearDown fails/);
    expect([machine.plugged.size, await records(), (await driver.networkDumpXml({ network, inactive: false })).xml.slice(0, 25)])
      .toEqual([1, [[uuidOf(1), 'plugged']], "<network connections='1'>"]);
  });
});

describe('a bridge that is lost', () => {
  it('comes back with every port', async () => {
    const { driver, estate } = await startLab();
    await create(driver, 1, floor(100), tap);
    await create(driver, 2, '', existing);
    machine.plugged.clear();
    machine.bridgesLost = true;
    machine.calls.length = 0;
    events = [];
    await replug(estate, estate.register.find(network));
    expect(machine.calls).toEqual(['tearDown', 'bringUp', 'attach', 'attach']);
    expect([...machine.plugged.keys()]).toEqual([uuidOf(1), uuidOf(2)]);
    expect(events).toEqual([['REPAIRED', undefined, expect.stringMatching(/^bridge /)]]);
  });

  it('and cannot come back leaves the network stopped, which is told, and its ports kept', async () => {
    const { driver, estate } = await startLab();
    await create(driver, 1, '', tap);
    machine.broken.add('bringUp');
    machine.bridgesLost = true;
    events = [];
    await replug(estate, estate.register.find(network));
    expect((await driver.networkIsActive({ network })).active).toBe(false);
    expect((await memory.load()).live).toEqual([]);
    expect(events.map(([kind]) => kind)).toEqual(['FAILED', 'STOPPED']);
    machine.broken.clear();
    await driver.networkCreate({ network });
    expect([...machine.plugged.keys()]).toEqual([uuidOf(1)]);
  });

  it('of a network that was stopped meanwhile is nobody\'s any more', async () => {
    const { driver, estate } = await startLab();
    const record = estate.register.find(network);
    await driver.networkDestroy({ network });
    machine.calls.length = 0;
    await replug(estate, record);
    expect(machine.calls).toEqual([]);
  });
});

describe('a pool of a physical function', () => {
  const passthrough = `<network><name>lab</name><uuid>${network.uuid}</uuid><forward mode='passthrough'><pf dev='e0'/></forward></network>`;
  it('is read at the start, shown live with its counts, and not saved', async () => {
    machine.pool = [0, 1].map((n) => ({ interface: `e0v${n}`, address: { domain: 0, bus: 1, slot: 16, function: n } }));
    const { driver } = await startDaemon();
    await driver.networkDefineXml({ xml: passthrough, validate: true });
    const saved = (await driver.networkDumpXml({ network, inactive: false })).xml;
    await driver.networkCreate({ network });
    await create(driver, 1);
    expect((await create(driver, 2)).xml).toContain("<plug type='direct' dev='e0v1' mode='passthrough'/>");
    await expect(create(driver, 3)).rejects.toThrow(/none are available/);
    await driver.networkPortDelete({ port: handle(1) });
    const live = (await driver.networkDumpXml({ network, inactive: false })).xml;
    expect(live).toContain("<pf dev='e0'/>\n    <interface dev='e0v0'/>\n    <interface dev='e0v1' connections='1'/>");
    expect((await driver.networkDumpXml({ network, inactive: true })).xml).toBe(saved);
    const { driver: next } = await startDaemon();
    expect((await next.networkDumpXml({ network, inactive: false })).xml).toBe(live);
    await next.networkDestroy({ network, force: true });
    expect((await next.networkDumpXml({ network, inactive: false })).xml).toBe(saved);
  });

  it('that cannot be read keeps the network down', async () => {
    machine.host.pool = async () => { throw new NetworkError(ErrorCode.INTERNAL_ERROR, 'no virtual functions'); };
    const { driver } = await startDaemon();
    await driver.networkDefineXml({ xml: passthrough, validate: true });
    await expect(driver.networkCreate({ network })).rejects.toThrow(/no virtual functions/);
    expect([(await driver.networkIsActive({ network })).active, (await memory.load()).live]).toEqual([false, []]);
  });
});

describe('two networks', () => {
  it('never give one name to two devices, however close they are asked', async () => {
    const { driver } = await startLab();
    const other = { name: 'other', uuid: '' };
    await driver.networkDefineXml({ xml: "<network><name>other</name><ip address='10.8.0.1' prefix='24'/></network>", validate: true });
    await driver.networkCreate({ network: other });
    const made = await Promise.all([1, 2, 3, 4, 5, 6].map((n) =>
      driver.networkPortCreateXml({ network: n % 2 === 0 ? network : other, xml: portXml(n), reclaim: false, validate: true, attachment: tap })));
    expect(made.map(({ device }) => device).sort()).toEqual(['vnet0', 'vnet1', 'vnet2', 'vnet3', 'vnet4', 'vnet5']);
  });
});
