/** What a daemon does when it starts, for every state the last one can have left. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Host, NetworkPlan, Observation, Standing } from '../../../server/driver/host.js';
import { openHostDriver } from '../../../server/driver/host-driver.js';
import { createIdleHost } from '../../../server/driver/idle-host.js';
import { createMemoryStore } from '../../../server/driver/memory-store.js';
import type { LiveRecord, Store } from '../../../server/driver/store.js';
import type { Log } from '../../../server/log.js';
import { EventKind } from '../../../shared/gen/vnet/v1/network_driver.js';

const uuid = 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a00a';
const xml = `<network>
  <name>lab</name>
  <uuid>${uuid}</uuid>
  <bridge name='virbr7' stp='on' delay='0'/>
  <mac address='52:54:00:00:00:01'/>
  <ip address='10.7.0.1' netmask='255.255.255.0'>
  </ip>
</network>
`;
const record = (state: LiveRecord['state']): LiveRecord => ({ uuid, name: 'lab', bridge: 'virbr7', state, xml });

/** A host that tells what was asked of it, and shows what a test says is there. */
function watchedHost(standing: Standing, routes: Observation['routes'] = []): Host & { calls: string[] } {
  const calls: string[] = [];
  const note = (verb: string) => async ({ name }: NetworkPlan) => { calls.push(`${verb} ${name}`); };
  return {
    ...createIdleHost(), calls,
    bringUp: note('bringUp'), tearDown: note('tearDown'), refresh: note('refresh'),
    observe: async (plans) => ({ interfaces: ['lo'], routes, standing: plans.map(() => standing) }),
  };
}

const whole: Standing = { bridge: true, dnsmasq: true, firewall: true };
let store: Store;
let lines: string[];
const log: Log = {
  debug: () => undefined, info: (_, message) => lines.push(message), warn: (_, message) => lines.push(message),
  error: (fields, message) => lines.push(`${message}: ${((fields as { err?: Error }).err ?? { message: '' }).message}`),
};
beforeEach(() => {
  store = createMemoryStore();
  lines = [];
});

/** A store that was used before, so that `default` is not defined in it. */
async function usedStore(): Promise<void> {
  await store.saveDefinition('other', xml.replaceAll('lab', 'other').replace(uuid, uuid.replace(/a$/, 'b')).replace('virbr7', 'virbr8'));
}

const activeNames = async (host: Host) => (await (await openHostDriver(host, store, log)).listNetworks({ maxNames: 0 })).names;

describe('a daemon that starts', () => {
  it('adopts a network that stands, without touching it', async () => {
    await usedStore();
    await store.saveDefinition('lab', xml);
    await store.saveLive(record('running'));
    const host = watchedHost(whole);
    expect(await activeNames(host)).toEqual(['lab']);
    expect(host.calls).toEqual([]);
  });

  it('repairs a network whose bridge stands but whose dnsmasq is gone', async () => {
    await usedStore();
    await store.saveLive(record('running'));
    const host = watchedHost({ ...whole, dnsmasq: false });
    const driver = await openHostDriver(host, store, log);
    expect(host.calls).toEqual(['refresh lab']);
    const { networks } = await driver.getStatus({ network: { name: 'lab', uuid: '' } });
    expect(networks).toMatchObject([{ active: true, faults: [], repairs: [{ part: 'dnsmasq', what: 'dnsmasq', count: 1 }] }]);
    expect(driver.figures()).toMatchObject({ repairs: { dnsmasq: 1, firewall: 0 }, byKind: { [EventKind.REPAIRED]: 1 } });
    expect((await driver.networkIsPersistent({ network: { name: 'lab', uuid: '' } })).persistent).toBe(false);
  });

  it('says of a network that it cannot repair what is missing, and why', async () => {
    await usedStore();
    await store.saveLive(record('running'));
    const host = { ...watchedHost({ ...whole, firewall: false }), refresh: async () => { throw new Error('nft: no'); } };
    const driver = await openHostDriver(host, store, log);
    const { networks } = await driver.getStatus({ network: { name: 'lab', uuid: '' } });
    expect(networks).toMatchObject([{ active: true, repairs: [], faults: [{ part: 'firewall', message: expect.stringMatching(/^firewall rules missing when vnetd started.*nft: no/) }] }]);
  });

  it('says of a network that it cannot be started with the host, until it is started', async () => {
    await usedStore();
    await store.saveDefinition('lab', xml);
    await store.setAutostart('lab', true);
    let broken = true;
    const host: Host = { ...watchedHost(whole), bringUp: async () => { if (broken) throw new Error('no bridge'); } };
    const driver = await openHostDriver(host, store, log);
    const network = { name: 'lab', uuid: '' };
    expect((await driver.getStatus({ network })).networks).toMatchObject([{ active: false, faults: [{ part: 'start', message: 'it could not be started with the host: no bridge' }] }]);
    expect(driver.figures().degraded).toBe(1);
    broken = false;
    await driver.networkCreate({ network });
    expect((await driver.getStatus({ network })).networks).toMatchObject([{ active: true, faults: [] }]);
  });

  it.each([
    ['its bridge is gone', record('running'), { bridge: false, dnsmasq: true, firewall: true }],
    ['its start was cut off', record('starting'), whole],
    ['its stop was cut off', record('stopping'), whole],
  ])('undoes a network if %s', async (_, left, standing) => {
    await usedStore();
    await store.saveDefinition('lab', xml);
    await store.saveLive(left);
    const host = watchedHost(standing);
    expect(await activeNames(host)).toEqual([]);
    expect(host.calls).toEqual(['tearDown lab']);
    expect((await store.load()).live).toEqual([]);
    expect((await store.load()).saved.map(({ name }) => name)).toContain('lab');
  });

  it('starts what starts with the host, once a boot', async () => {
    await usedStore();
    await store.saveDefinition('lab', xml);
    await store.setAutostart('lab', true);
    const host = watchedHost(whole);
    expect(await activeNames(host)).toEqual(['lab']);
    await store.removeLive(uuid);
    expect(await activeNames(host)).toEqual([]);
    expect(host.calls).toEqual(['bringUp lab']);
  });

  it('goes on when one network cannot be brought back', async () => {
    await usedStore();
    await store.saveDefinition('bad', '<network><name>bad');
    await store.saveDefinition('wrong', xml);
    await store.saveDefinition('lab', xml);
    const driver = await openHostDriver(watchedHost(whole), store, log);
    expect((await driver.listDefinedNetworks({ maxNames: 0 })).names).toEqual(['lab', 'other']);
    expect(lines.join('\n')).toMatch(/cannot load network/);
    expect(lines.join('\n')).toMatch(/named wrong\.xml but the network in it is named 'lab'/);
  });

  it('loads a definition that can never stand, and refuses to start it', async () => {
    await usedStore();
    await store.saveDefinition('lab', xml.replace('255.255.255.0', '255.0.255.0'));
    const host = watchedHost(whole);
    const driver = await openHostDriver(host, store, log);
    await expect(driver.networkCreate({ network: { name: 'lab', uuid: '' } })).rejects.toThrow(/network 'lab' cannot be started: network\/ip.*255\.0\.255\.0/);
    expect(host.calls).toEqual([]);
  });

  it('completes a definition that a person wrote without uuid, and keeps what it chose', async () => {
    await usedStore();
    await store.saveDefinition('hand', "<network><name>hand</name><bridge name='virbr9'/></network>");
    const dump = async () => {
      const driver = await openHostDriver(watchedHost(whole), store, log);
      return (await driver.networkDumpXml({ network: { name: 'hand', uuid: '' }, inactive: false })).xml;
    };
    const first = await dump();
    expect(first).toMatch(/<uuid>.*<\/uuid>[^]*<mac address='52:54:00/);
    expect(await dump()).toBe(first);
  });
});

describe('a new host', () => {
  const dumpDefault = async (host: Host) => {
    const driver = await openHostDriver(host, store, log);
    return (await driver.networkDumpXml({ network: { name: 'default', uuid: '' }, inactive: false })).xml;
  };

  it('has a network default, which is not started', async () => {
    const host = watchedHost(whole);
    const dumped = await dumpDefault(host);
    for (const part of ["<forward mode='nat'", "<bridge name='virbr0' ", "<ip address='192.168.122.1' netmask='255.255.255.0'", "<range start='192.168.122.2' end='192.168.122.254'"]) {
      expect(dumped).toContain(part);
    }
    expect(host.calls).toEqual([]);
    expect(lines).toContain('network default defined');
  });

  it('puts it on the next free subnet, and says so', async () => {
    const routes = [{ subnet: '192.168.122.0/24', interface: 'virbr0' }, { subnet: '192.168.120.0/22', interface: 'eth0' }];
    expect(await dumpDefault(watchedHost(whole, routes))).toContain("<ip address='192.168.124.1'");
    expect(lines.join()).toMatch(/next free subnet/);
  });

  it('does not bring it back after it was undefined', async () => {
    const driver = await openHostDriver(watchedHost(whole), store, log);
    await store.saveDefinition('other', xml.replaceAll('lab', 'other'));
    await driver.networkUndefine({ network: { name: 'default', uuid: '' } });
    const { networks } = await (await openHostDriver(watchedHost(whole), store, log)).listAllNetworks({});
    expect(networks.map(({ network }) => network!.name)).toEqual(['other']);
  });
});
