/**
 * Lives here: what every NetworkDriver must do, whoever implements it and
 * however it is reached. Run unchanged against each of them. Does not know:
 * which one it is given.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ErrorCode } from '../../shared/errors.js';
import type { Network, NetworkDriver } from '../../shared/gen/vnet/v1/network_driver.js';
import { describeEvents } from './events.js';
import { describeHistory } from './history.js';
import { describePorts } from './ports.js';
import { describeMetadata } from './metadata.js';
import { refused } from './refused.js';
import { describeStatus } from './status.js';
import { describeUpdates } from './update.js';

/** A driver under test, with the way to let it go. */
export interface Subject {
  driver: NetworkDriver;
  close(): Promise<void>;
}

/** A network of the suite's own: subnets from 10.77.N.0/24 are nobody else's. */
function document(name: string, n: number, parts: { uuid?: string; bridge?: string; forward?: string } = {}): string {
  return `<network>
  <name>${name}</name>
  ${parts.uuid === undefined ? '' : `<uuid>${parts.uuid}</uuid>`}
  ${parts.forward ?? ''}
  ${parts.bridge === undefined ? '' : `<bridge name='${parts.bridge}'/>`}
  <ip address='10.77.${n}.1' netmask='255.255.255.0'>
    <dhcp><range start='10.77.${n}.10' end='10.77.${n}.99'/></dhcp>
  </ip>
</network>`;
}

const unknownUuid = '00000000-1111-2222-3333-444444444444';
const otherUuid = '00000000-1111-2222-3333-555555555555';

/**
 * Describes the conformance of one kind of driver.
 *
 * @param title which driver, by which way
 * @param open opens it; networks that are there already must be left as found
 */
export function describeConformance(title: string, open: () => Promise<Subject>): void {
  describe(title, () => {
    let subject: Subject;
    let driver: NetworkDriver;
    beforeAll(async () => {
      subject = await open();
      driver = subject.driver;
    });
    afterAll(() => subject?.close());

    describeEvents(() => driver);
    describeHistory(() => driver);
    describeStatus(() => driver);

    const define = async (xml: string): Promise<Network> => (await driver.networkDefineXml({ xml, validate: false })).network!;
    const dump = async (network: Network, inactive = false): Promise<string> => (await driver.networkDumpXml({ network, inactive })).xml;
    const names = async () => (await driver.listAllNetworks({})).networks.map((row) => row.network!.name);
    const row = async (name: string) => (await driver.listAllNetworks({})).networks.find(({ network }) => network!.name === name);

    it('says who it is', async () => {
      const { driver: kind, hostname, version } = await driver.open({ driver: '' });
      expect(['host', 'test']).toContain(kind);
      expect(hostname).not.toBe('');
      expect(version).toMatch(/^\d+\.\d+\.\d+/);
      await refused(driver.open({ driver: 'qemu' }), ErrorCode.NO_CONNECT, /qemu/);
      await expect(driver.close({})).resolves.toEqual({});
    });

    it('defines a network, fills in what is missing, and gives it back whole', async () => {
      const network = await define(document('conf-define', 1));
      expect(network).toEqual({ name: 'conf-define', uuid: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) });
      const xml = await dump(network);
      expect(xml).toContain(`<uuid>${network.uuid}</uuid>`);
      expect(xml).toMatch(/<mac address='52:54:00:[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}'\/>/);
      const { bridge } = await driver.networkGetBridgeName({ network });
      expect(bridge).toMatch(/^virbr\d+$/);
      expect(xml).toContain(`<bridge name='${bridge}' stp='on' delay='0'/>`);
      expect(await row('conf-define')).toEqual({
        network, active: false, persistent: true, autostart: false, bridge, forwardMode: '', addresses: ['10.77.1.1/24'],
      });
      await driver.networkUndefine({ network });
      await refused(driver.networkLookupByName({ name: 'conf-define' }), ErrorCode.NO_NETWORK, /^Network not found: no network with matching name 'conf-define'$/);
    });

    it('finds a network by name, by uuid, and by either in a handle', async () => {
      const network = await define(document('conf-lookup', 2));
      expect((await driver.networkLookupByName({ name: 'conf-lookup' })).network).toEqual(network);
      expect((await driver.networkLookupByUuid({ uuid: network.uuid.toUpperCase() })).network).toEqual(network);
      expect((await driver.networkLookupByUuid({ uuid: network.uuid.replaceAll('-', '') })).network).toEqual(network);
      expect(await dump({ name: 'conf-lookup', uuid: '' })).toBe(await dump(network));
      expect(await dump({ name: '', uuid: network.uuid })).toBe(await dump(network));
      await refused(driver.networkLookupByUuid({ uuid: 'nonsense' }), ErrorCode.INVALID_ARG, /nonsense/);
      await refused(driver.networkLookupByUuid({ uuid: unknownUuid }), ErrorCode.NO_NETWORK, new RegExp(unknownUuid));
      await refused(driver.networkIsActive({ network: undefined }), ErrorCode.INVALID_NETWORK, /names no network/);
      await driver.networkUndefine({ network });
    });

    it('goes through a whole life: defined, started, stopped, undefined', async () => {
      const network = await define(document('conf-life', 3, { forward: "<forward mode='nat'/>" }));
      const counts = async () => [(await driver.numOfNetworks({})).count, (await driver.numOfDefinedNetworks({})).count];
      const [active, defined] = await counts() as [number, number];
      await refused(driver.networkDestroy({ network }), ErrorCode.OPERATION_INVALID, /^Requested operation is not valid: network 'conf-life' is not active$/);
      await driver.networkCreate({ network });
      expect(await counts()).toEqual([active + 1, defined - 1]);
      expect((await driver.listNetworks({ maxNames: 0 })).names).toContain('conf-life');
      expect((await driver.listDefinedNetworks({ maxNames: 0 })).names).not.toContain('conf-life');
      expect((await driver.networkIsActive({ network })).active).toBe(true);
      await refused(driver.networkCreate({ network }), ErrorCode.OPERATION_INVALID, /^Requested operation is not valid: network is already active$/);
      expect((await driver.networkGetDhcpLeases({ network, mac: '' })).leases).toEqual([]);
      await driver.networkDestroy({ network });
      expect(await counts()).toEqual([active, defined]);
      expect((await driver.networkIsActive({ network })).active).toBe(false);
      await driver.networkUndefine({ network });
      for (const call of [
        driver.networkCreate({ network }), driver.networkDestroy({ network }), driver.networkUndefine({ network }),
        driver.networkDumpXml({ network, inactive: false }), driver.networkGetBridgeName({ network }), driver.networkIsActive({ network }),
        driver.networkIsPersistent({ network }), driver.networkGetAutostart({ network }),
        driver.networkSetAutostart({ network, autostart: true }), driver.networkGetDhcpLeases({ network, mac: '' }),
      ]) await refused(call, ErrorCode.NO_NETWORK, /conf-life/);
    });

    it('keeps the live definition apart from the saved one', async () => {
      const network = await define(document('conf-two', 4, { bridge: 'conf-two0', forward: "<forward mode='nat'/>" }));
      await driver.networkCreate({ network });
      expect(await dump(network)).toContain("<port start='1024' end='65535'/>");
      expect(await dump(network, true)).not.toContain('<port ');
      await define(document('conf-two', 5, { bridge: 'conf-two0', uuid: network.uuid }));
      expect(await dump(network)).toContain('10.77.4.1');
      expect(await dump(network, true)).toContain('10.77.5.1');
      await driver.networkDestroy({ network });
      expect(await dump(network)).toContain('10.77.5.1');
      await driver.networkUndefine({ network });
    });

    it('undefines an active network into a transient one', async () => {
      const network = await define(document('conf-undef', 6));
      await driver.networkCreate({ network });
      await driver.networkSetAutostart({ network, autostart: true });
      await driver.networkUndefine({ network });
      expect(await row('conf-undef')).toMatchObject({ active: true, persistent: false, autostart: false });
      await refused(driver.networkUndefine({ network }), ErrorCode.OPERATION_INVALID, /transient/);
      await refused(driver.networkSetAutostart({ network, autostart: true }), ErrorCode.OPERATION_INVALID, /transient/);
      await driver.networkDestroy({ network });
      expect(await names()).not.toContain('conf-undef');
    });

    it('creates a transient network, and makes it persistent by defining it', async () => {
      const xml = document('conf-trans', 7, { uuid: otherUuid });
      const { network } = await driver.networkCreateXml({ xml, validate: false });
      expect(network).toEqual({ name: 'conf-trans', uuid: otherUuid });
      expect((await driver.networkIsPersistent({ network })).persistent).toBe(false);
      await refused(driver.networkCreateXml({ xml, validate: false }), ErrorCode.OPERATION_INVALID, /already active/);
      await define(xml);
      expect((await driver.networkIsPersistent({ network })).persistent).toBe(true);
      await driver.networkDestroy({ network });
      expect(await row('conf-trans')).toMatchObject({ active: false, persistent: true });
      await driver.networkUndefine({ network });
    });

    it('runs another definition over an inactive persistent network and goes back at its end', async () => {
      const network = await define(document('conf-over', 8, { uuid: otherUuid }));
      await driver.networkCreateXml({ xml: document('conf-over', 9, { uuid: otherUuid }), validate: false });
      expect(await dump(network)).toContain('10.77.9.1');
      expect((await driver.networkIsPersistent({ network })).persistent).toBe(true);
      await driver.networkDestroy({ network });
      expect(await dump(network)).toContain('10.77.8.1');
      await driver.networkUndefine({ network });
    });

    it('switches autostart', async () => {
      const network = await define(document('conf-auto', 10));
      expect((await driver.networkGetAutostart({ network })).autostart).toBe(false);
      for (const autostart of [true, true, false, true]) {
        await driver.networkSetAutostart({ network, autostart });
        expect((await driver.networkGetAutostart({ network })).autostart).toBe(autostart);
      }
      const filtered = async (autostart: boolean) =>
        (await driver.listAllNetworks({ autostart })).networks.map((found) => found.network!.name);
      expect(await filtered(true)).toContain('conf-auto');
      expect(await filtered(false)).not.toContain('conf-auto');
      await driver.networkUndefine({ network });
    });

    it('filters and limits lists', async () => {
      const running = await define(document('conf-list-a', 11));
      const idle = await define(document('conf-list-b', 12));
      await driver.networkCreate({ network: running });
      const listed = async (filter: { active?: boolean; persistent?: boolean }) =>
        (await driver.listAllNetworks(filter)).networks.map((found) => found.network!.name);
      expect(await listed({ active: true })).toContain('conf-list-a');
      expect(await listed({ active: true })).not.toContain('conf-list-b');
      expect(await listed({ active: false })).toContain('conf-list-b');
      expect(await listed({ active: false, persistent: false })).toEqual([]);
      expect(await names()).toEqual([...await names()].sort());
      expect((await driver.listDefinedNetworks({ maxNames: 1 })).names).toHaveLength(1);
      await driver.networkDestroy({ network: running });
      await driver.networkUndefine({ network: running });
      await driver.networkUndefine({ network: idle });
    });

    it('refuses a name or uuid that is another network\'s', async () => {
      const network = await define(document('conf-clash', 13, { bridge: 'conf-clash0' }));
      await refused(define(document('conf-other', 14, { uuid: network.uuid })), ErrorCode.OPERATION_FAILED,
        /^operation failed: network 'conf-clash' is already defined with uuid/);
      for (const more of [{}, { bridge: 'conf-clash0' }]) {
        await refused(define(document('conf-clash', 14, more)), ErrorCode.OPERATION_FAILED, /^operation failed: network 'conf-clash' already exists with uuid/);
      }
      await refused(define(document('conf-other', 14, { bridge: 'conf-clash0' })), ErrorCode.INTERNAL_ERROR,
        /^internal error: bridge name 'conf-clash0' already in use/);
      expect(await names()).not.toContain('conf-other');
      await driver.networkUndefine({ network });
    });

    it('refuses to start on a subnet that is in use, in either direction', async () => {
      const first = await define(document('conf-over-a', 15, { bridge: 'conf-over-a0' }));
      await driver.networkCreate({ network: first });
      for (const [address, prefix] of [['10.77.15.129', 25], ['10.77.0.1', 16], ['10.77.15.1', 24]]) {
        const network = await define(`<network><name>conf-over-b</name><ip address='${address}' prefix='${prefix}'/></network>`);
        await refused(driver.networkCreate({ network }), ErrorCode.INTERNAL_ERROR, /already in use by interface conf-over-a0/);
        expect((await driver.networkIsActive({ network })).active).toBe(false);
        await driver.networkUndefine({ network });
      }
      await driver.networkDestroy({ network: first });
      await driver.networkUndefine({ network: first });
    });

    it.each([
      ['no XML', 'this is no document', ErrorCode.XML_DETAIL, /1:1|line 1/],
      ['broken XML', '<network>\n  <name>x</nam>\n</network>', ErrorCode.XML_DETAIL, /2/],
      ['another root', '<domain><name>x</name></domain>', ErrorCode.XML_ERROR, /network/],
      ['no name', '<network/>', ErrorCode.NO_NAME, /name/],
      ['a slash in the name', '<network><name>a/b</name></network>', ErrorCode.XML_DETAIL, /a\/b/],
      ['a newline in the name', '<network><name>a\nb</name></network>', ErrorCode.XML_DETAIL, /name/],
      ['a malformed uuid', '<network><name>x</name><uuid>12</uuid></network>', ErrorCode.INTERNAL_ERROR, /uuid/],
      ['a range outside its subnet', "<network><name>x</name><ip address='10.77.1.1' prefix='24'><dhcp><range start='10.78.1.2' end='10.78.1.9'/></dhcp></ip></network>",
        ErrorCode.INTERNAL_ERROR, /10\.78\.1\.2/],
      ['nat without an address', "<network><name>x</name><forward mode='nat'/></network>", ErrorCode.XML_ERROR, /nat/],
    ])('refuses a document with %s, and changes nothing', async (_, xml, code, words) => {
      const before = await names();
      await refused(driver.networkDefineXml({ xml, validate: false }), code, words);
      await refused(driver.networkCreateXml({ xml, validate: false }), code, words);
      expect(await names()).toEqual(before);
    });

    it('refuses what the schema does not know only if asked to, and otherwise warns', async () => {
      const xml = "<network><name>conf-strict</name><colour>blue</colour></network>";
      await refused(driver.networkDefineXml({ xml, validate: true }), ErrorCode.XML_INVALID_SCHEMA, /colour/);
      const { network, warnings } = await driver.networkDefineXml({ xml, validate: false });
      expect(warnings.join()).toContain('colour');
      await driver.networkUndefine({ network });
    });

    it('refuses a malformed MAC address in a lease query', async () => {
      const network = await define(document('conf-mac', 16));
      await refused(driver.networkGetDhcpLeases({ network, mac: 'xx:yy' }), ErrorCode.INVALID_MAC, /xx:yy/);
      await driver.networkUndefine({ network });
    });

    it('tells what it looked at, the worst first, of a network that is up or not and of all', async () => {
      const network = await define(document('conf-doctor', 18));
      for (const asked of [network, undefined]) {
        const { findings } = await driver.diagnose({ network: asked });
        expect(findings.length).toBeGreaterThan(0);
        expect(findings.map(({ severity }) => severity)).toEqual(findings.map(({ severity }) => severity).sort());
        for (const { severity, check, message, network: concerned } of findings) {
          expect([1, 2, 3]).toContain(severity);
          expect(check).toMatch(/^[a-z0-9-]+$/);
          expect(message).not.toBe('');
          if (asked !== undefined && concerned !== undefined) expect(concerned).toEqual(network);
        }
        // What is not up need not stand.
        expect(findings.filter(({ check, network: concerned }) => check === 'standing' && concerned?.uuid === network.uuid)).toEqual([]);
      }
      await refused(driver.diagnose({ network: { name: 'conf-nobody', uuid: '' } }), ErrorCode.NO_NETWORK, /conf-nobody/);
      await driver.networkUndefine({ network });
    });

    it('gives 64 networks defined at once 64 different bridges', async () => {
      const networks = await Promise.all(Array.from({ length: 64 }, (_, n) => define(`<network><name>conf-many-${n}</name></network>`)));
      const bridges = await Promise.all(networks.map(async (network) => (await driver.networkGetBridgeName({ network })).bridge));
      expect(new Set(bridges).size).toBe(64);
      expect(new Set(networks.map(({ uuid }) => uuid)).size).toBe(64);
      await Promise.all(networks.map((network) => driver.networkUndefine({ network })));
    });

    describePorts({ driver: () => driver, refused });

    it('takes one network\'s changes one after the other', async () => {
      const network = await define(document('conf-race', 17));
      const results = await Promise.allSettled([1, 2, 3].map(() => driver.networkCreate({ network })));
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      await Promise.all([driver.networkDestroy({ network }), driver.networkCreate({ network }).catch(() => undefined)]);
      if ((await driver.networkIsActive({ network })).active) await driver.networkDestroy({ network });
      await driver.networkUndefine({ network });
      expect(await names()).not.toContain('conf-race');
    });

    describeUpdates(() => driver);
    describeMetadata(() => driver);
  });
}
