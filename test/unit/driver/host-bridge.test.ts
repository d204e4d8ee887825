/** Networks that hang their guests on a bridge of the host's own: what the rules ask of the host, and what they do not. */
import { describe, expect, it } from 'vitest';
import type { Host, NetworkPlan } from '../../../server/driver/host.js';
import { openHostDriver } from '../../../server/driver/host-driver.js';
import { createIdleHost } from '../../../server/driver/idle-host.js';
import { createMemoryStore } from '../../../server/driver/memory-store.js';
import { silentLog } from '../../../server/log.js';
import { ErrorCode } from '../../../shared/errors.js';

const xml = (name: string, inner = "<forward mode='bridge'/><bridge name='br0'/>") => `<network><name>${name}</name>${inner}</network>`;
const network = (name: string) => ({ network: { name, uuid: '' } });

/** A host with a bridge of its own on which nothing of ours ever stands, and that tells what it was asked for. */
function hostWithBridge(): Host & { plans: [string, NetworkPlan][] } {
  const plans: [string, NetworkPlan][] = [];
  const note = (verb: string) => async (plan: NetworkPlan) => void plans.push([verb, plan]);
  return {
    ...createIdleHost(), plans,
    bringUp: note('bringUp'), tearDown: note('tearDown'), refresh: note('refresh'),
    observe: async (asked) => ({ interfaces: ['lo', 'br0'], routes: [], standing: asked.map(() => ({ bridge: false, dnsmasq: true, firewall: true })) }),
  };
}

describe("a network on the host's own bridge", () => {
  it('starts and stops without a bridge of its own, and tells the name of that one', async () => {
    const host = hostWithBridge();
    const driver = await openHostDriver(host, createMemoryStore(), silentLog);
    await driver.networkDefineXml({ xml: xml('shared'), validate: false });
    await driver.networkCreate(network('shared'));
    expect(await driver.networkGetBridgeName(network('shared'))).toEqual({ bridge: 'br0' });
    expect((await driver.networkDumpXml({ ...network('shared'), inactive: false })).xml).toContain("<forward mode='bridge'/>\n  <bridge name='br0'/>");
    await driver.networkDestroy(network('shared'));
    expect(host.plans.map(([verb, plan]) => [verb, plan.bridge, plan.definition.bridge?.name])).toEqual([['bringUp', '', 'br0'], ['tearDown', '', 'br0']]);
  });

  it('shares it with other networks of its kind, but with none that makes its own', async () => {
    const driver = await openHostDriver(hostWithBridge(), createMemoryStore(), silentLog);
    for (const name of ['one', 'two']) await driver.networkCreateXml({ xml: xml(name), validate: false });
    expect((await driver.listNetworks({ maxNames: 0 })).names).toEqual(expect.arrayContaining(['one', 'two']));
    await expect(driver.networkDefineXml({ xml: xml('own', "<bridge name='br0'/>"), validate: false })).rejects.toMatchObject({
      code: ErrorCode.INTERNAL_ERROR, message: expect.stringContaining("'br0' already in use"),
    });
  });

  it('is adopted by the next daemon as it is, with nothing of it on the host', async () => {
    const store = createMemoryStore();
    await (await openHostDriver(hostWithBridge(), store, silentLog)).networkCreateXml({ xml: xml('shared'), validate: false });
    const host = hostWithBridge();
    const driver = await openHostDriver(host, store, silentLog);
    expect(await driver.networkIsActive(network('shared'))).toEqual({ active: true });
    expect(host.plans).toEqual([]);
  });
});
