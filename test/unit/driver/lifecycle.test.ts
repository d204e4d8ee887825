/** What the rules do when the host or the store fails them. */
import { describe, expect, it } from 'vitest';
import type { Host } from '../../../server/driver/host.js';
import { Journal } from '../../../server/driver/events.js';
import { noRepairs } from '../../../server/driver/health.js';
import { createIdleHost } from '../../../server/driver/idle-host.js';
import { LocalNetworkDriver } from '../../../server/driver/local-driver.js';
import { createMemoryStore } from '../../../server/driver/memory-store.js';
import { Register } from '../../../server/driver/register.js';
import type { Store } from '../../../server/driver/store.js';
import { silentLog } from '../../../server/log.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';

const network = { name: 'lab', uuid: '' };
const xml = "<network><name>lab</name><ip address='10.7.0.1' prefix='24'/></network>";
const fail = (what: string) => async () => { throw new NetworkError(ErrorCode.INTERNAL_ERROR, what); };

/** A driver whose host and store do as a test says. */
function build(parts: { host?: Partial<Host>; store?: Partial<Store> } = {}): { driver: LocalNetworkDriver; store: Store; up: Set<string> } {
  const up = new Set<string>();
  const idle = createIdleHost();
  const memory = createMemoryStore();
  const host: Host = {
    ...idle,
    bringUp: async (plan) => { up.add(plan.name); await idle.bringUp(plan); },
    tearDown: async (plan, options) => { up.delete(plan.name); await idle.tearDown(plan, options); },
    ...parts.host,
  };
  const store: Store = { ...memory, ...parts.store };
  return { driver: new LocalNetworkDriver('test', { register: new Register(), host, store, journal: new Journal(), repairs: noRepairs(), log: silentLog }), store: memory, up };
}

describe('a start that fails', () => {
  it('on the host leaves the network inactive and nothing recorded', async () => {
    const { driver, store } = build({ host: { bringUp: fail('nft: no such thing') } });
    await driver.networkDefineXml({ xml, validate: false });
    await expect(driver.networkCreate({ network })).rejects.toThrow(/^internal error: nft: no such thing$/);
    expect((await driver.networkIsActive({ network })).active).toBe(false);
    expect((await store.load()).live).toEqual([]);
    await expect(driver.networkCreate({ network })).rejects.toThrow(/nft/);
  });

  it('of a transient network leaves no network at all, and of a persistent one the saved', async () => {
    const { driver } = build({ host: { bringUp: fail('no') } });
    await expect(driver.networkCreateXml({ xml, validate: false })).rejects.toThrow(/no/);
    expect((await driver.listAllNetworks({})).networks).toEqual([]);
    const { network: saved } = await driver.networkDefineXml({ xml, validate: false });
    await expect(driver.networkCreateXml({ xml: xml.replace('</name>', `</name><uuid>${saved!.uuid}</uuid>`), validate: false })).rejects.toThrow(/no/);
    expect((await driver.listAllNetworks({})).networks).toMatchObject([{ active: false, persistent: true }]);
  });

  it('because it cannot be recorded takes away what stands', async () => {
    for (const failing of ['starting', 'running']) {
      const memory = createMemoryStore();
      const { driver, up } = build({ store: { saveLive: (record) => (record.state === failing ? fail('disk full')() : memory.saveLive(record)) } });
      await driver.networkDefineXml({ xml, validate: false });
      await expect(driver.networkCreate({ network })).rejects.toThrow(/disk full/);
      expect([...up]).toEqual([]);
      expect((await driver.networkIsActive({ network })).active).toBe(false);
    }
  });

  it('shows its own error, not that of the way back', async () => {
    const memory = createMemoryStore();
    const { driver } = build({
      host: { tearDown: fail('second') },
      store: { saveLive: (record) => (record.state === 'running' ? fail('first')() : memory.saveLive(record)) },
    });
    await driver.networkDefineXml({ xml, validate: false });
    await expect(driver.networkCreate({ network })).rejects.toThrow(/^internal error: first$/);
  });

  it('frees the subnet again', async () => {
    let broken = true;
    const { driver } = build({ host: { bringUp: async () => { if (broken) await fail('no')(); } } });
    await driver.networkDefineXml({ xml, validate: false });
    await expect(driver.networkCreate({ network })).rejects.toThrow(/no/);
    broken = false;
    await driver.networkDefineXml({ xml: xml.replace('lab', 'other'), validate: false });
    await driver.networkCreate({ network: { name: 'other', uuid: '' } });
  });
});

describe('a stop that fails', () => {
  it('leaves the network active, so that it can be stopped again', async () => {
    let broken = true;
    const { driver } = build({ host: { tearDown: async () => { if (broken) await fail('ip: busy')(); } } });
    await driver.networkDefineXml({ xml, validate: false });
    await driver.networkCreate({ network });
    await expect(driver.networkDestroy({ network })).rejects.toThrow(/busy/);
    expect((await driver.networkIsActive({ network })).active).toBe(true);
    broken = false;
    await driver.networkDestroy({ network });
    expect((await driver.networkIsActive({ network })).active).toBe(false);
  });
});

describe('a definition that cannot be saved', () => {
  it('is not there, and its names are free', async () => {
    const memory = createMemoryStore();
    let broken = true;
    const { driver } = build({ store: { saveDefinition: (name, text) => (broken ? fail('disk full')() : memory.saveDefinition(name, text)) } });
    await expect(driver.networkDefineXml({ xml, validate: false })).rejects.toThrow(/disk full/);
    expect((await driver.listAllNetworks({})).networks).toEqual([]);
    broken = false;
    const { network: second } = await driver.networkDefineXml({ xml, validate: false });
    expect((await driver.networkGetBridgeName({ network: second })).bridge).toBe('virbr0');
  });

  it('leaves the old one in place', async () => {
    const memory = createMemoryStore();
    let broken = false;
    const { driver } = build({ store: { saveDefinition: (name, text) => (broken ? fail('disk full')() : memory.saveDefinition(name, text)) } });
    const { network: first } = await driver.networkDefineXml({ xml, validate: false });
    const before = await driver.networkDumpXml({ network: first, inactive: false });
    broken = true;
    await expect(driver.networkDefineXml({ xml: before.xml.replace('10.7.0.1', '10.8.0.1'), validate: false })).rejects.toThrow(/disk full/);
    expect(await driver.networkDumpXml({ network: first, inactive: false })).toEqual(before);
  });
});

describe('two networks at once', () => {
  it('cannot take the same subnet, however close they start', async () => {
    const { driver } = build();
    for (const name of ['a', 'b', 'c']) await driver.networkDefineXml({ xml: xml.replace('lab', name), validate: false });
    const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => driver.networkCreate({ network: { name, uuid: '' } })));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('do not wait for each other', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => { release = resolve; });
    const { driver } = build({ host: { bringUp: ({ name }) => (name === 'slow' ? held : Promise.resolve()) } });
    await driver.networkDefineXml({ xml: '<network><name>slow</name></network>', validate: false });
    await driver.networkDefineXml({ xml: '<network><name>fast</name></network>', validate: false });
    const slow = driver.networkCreate({ network: { name: 'slow', uuid: '' } });
    await driver.networkCreate({ network: { name: 'fast', uuid: '' } });
    expect((await driver.listNetworks({ maxNames: 0 })).names).toEqual(['fast']);
    release();
    await slow;
  });

  it('are taken in turn if they are one: a network undefined while it is redefined stays whole', async () => {
    const { driver } = build();
    const { network: first } = await driver.networkDefineXml({ xml, validate: false });
    const same = xml.replace('</name>', `</name><uuid>${first!.uuid}</uuid>`);
    await Promise.allSettled([driver.networkUndefine({ network: first }), driver.networkDefineXml({ xml: same, validate: false })]);
    expect((await driver.listAllNetworks({})).networks).toHaveLength(1);
    await driver.networkCreate({ network: first });
  });
});
