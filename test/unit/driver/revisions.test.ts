/** Which revision a network is at: after a restart, after a daemon that was killed, after a change that failed. */
import { beforeEach, describe, expect, it } from 'vitest';
import { openHostDriver } from '../../../server/driver/host-driver.js';
import { createIdleHost } from '../../../server/driver/idle-host.js';
import type { LocalNetworkDriver } from '../../../server/driver/local-driver.js';
import { createMemoryStore } from '../../../server/driver/memory-store.js';
import type { Store } from '../../../server/driver/store.js';
import { silentLog } from '../../../server/log.js';

const uuid = 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a00a';
const network = { name: 'lab', uuid };
const xml = `<network>
  <name>lab</name>
  <uuid>${uuid}</uuid>
  <bridge name='virbr7' stp='on' delay='0'/>
  <mac address='52:54:00:00:00:01'/>
</network>
`;
let store: Store;
const open = (over: Store = store) => openHostDriver(createIdleHost(), over, silentLog);
const revisions = async (driver: LocalNetworkDriver) => (await driver.networkListRevisions({ network })).revisions;
const titled = (title: string) => xml.replace('</uuid>\n', `</uuid>\n  <title>${title}</title>\n`);

beforeEach(() => {
  store = createMemoryStore();
});

describe('the revision of a network', () => {
  it('outlives the daemon', async () => {
    const driver = await open();
    await driver.networkDefineXml({ xml, validate: true });
    await driver.networkDefineXml({ xml: titled('one'), validate: true });
    const before = await revisions(driver);
    expect(before.map(({ revision }) => revision)).toEqual([2, 1]);
    const again = await open();
    expect(await revisions(again)).toEqual(before);
    expect((await again.networkDefineXml({ xml, validate: true, expectedRevision: 2 })).revision).toBe(3);
  });

  it('begins with 1 where a person or an earlier daemon wrote the file', async () => {
    await store.saveDefinition('lab', xml);
    const driver = await open();
    expect(await revisions(driver)).toEqual([{ revision: 1, timeMs: 0, cause: '', current: true, xml: '' }]);
    expect((await driver.networkDefineXml({ xml: titled('one'), validate: true, expectedRevision: 1 })).revision).toBe(2);
  });

  it('does not grow when what a killed daemon saved already is saved again', async () => {
    const driver = await open();
    await driver.networkDefineXml({ xml, validate: true });
    await driver.networkDefineXml({ xml: titled('one'), validate: true });
    const saved = (await driver.networkDumpXml({ network, inactive: true })).xml;
    const record = { uuid, name: 'lab', bridge: 'virbr7', state: 'running', xml: saved } as const;
    await store.saveLive({ ...record, saved });
    expect((await revisions(await open()))[0]).toMatchObject({ revision: 2, cause: 'define' });
    await store.saveLive({ ...record, saved: saved.replace('one', 'two') });
    const late = await open();
    expect((await revisions(late))[0]).toMatchObject({ revision: 3, cause: 'update' });
    expect((await late.networkDumpXml({ network, inactive: true })).xml).toContain('two');
  });

  it.each([false, true])('is as before when a change cannot be saved (active: %s)', async (active) => {
    let broken = false;
    const driver = await open({
      ...store,
      saveDefinition: async (...given) => {
        await store.saveDefinition(...given);
        if (!broken) return;
        broken = false;
        throw new Error('disk full');
      },
    });
    await driver.networkDefineXml({ xml, validate: true });
    if (active) await driver.networkCreate({ network });
    broken = true;
    const change = { network, type: 1, metadata: 'new', key: '', uri: '', live: active, config: true };
    await expect(driver.networkSetMetadata(change)).rejects.toThrow('disk full');
    expect((await revisions(driver)).map(({ revision, current }) => [revision, current])).toEqual([[1, true]]);
    await driver.networkSetMetadata(change);
    expect((await revisions(driver)).map(({ revision }) => revision)).toEqual([2, 1]);
  });
});
