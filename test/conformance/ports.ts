/**
 * Lives here: the part of the conformance suite that is about ports: every
 * port call in every legal and illegal state, with libvirt's error for each.
 * Does not know: which driver it is given. No port here has an attachment, but
 * in the last part, which runs where devices are made up.
 */
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../shared/errors.js';
import type { Attachment, Network, NetworkDriver, NetworkPort } from '../../shared/gen/vnet/v1/network_driver.js';
import { listParameters, nameParameters } from '../../shared/port-parameters.js';

/** What the suite lends to its parts. */
export interface Tools {
  driver(): NetworkDriver;
  /** Says that a call is refused with this error. */
  refused(call: Promise<unknown>, code: ErrorCode, words: RegExp): Promise<void>;
}

const uuids = ['a', 'b', 'c', 'd'].map((letter) => `00000000-aaaa-4bbb-8ccc-00000000000${letter}`) as [string, string, string, string];
const unknownUuid = '00000000-aaaa-4bbb-8ccc-0000000000ff';
const owner = '<owner><name>guest</name><uuid>11111111-2222-4333-8444-555555555555</uuid></owner>';

/** A port's document; `more` stands where libvirt prints it. */
function portXml(uuid: string, more = '', parts: { owner?: string; mac?: string; group?: string } = {}): string {
  const group = parts.group === undefined ? '' : `<group>${parts.group}</group>`;
  return `<networkport>${uuid === '' ? '' : `<uuid>${uuid}</uuid>`}${parts.owner ?? owner}${group}${parts.mac ?? "<mac address='52:54:00:77:00:01'/>"}${more}</networkport>`;
}

function networkXml(name: string, n: number, more = ''): string {
  return `<network><name>${name}</name><bridge name='${name}0'/>${more}<ip address='10.77.${n}.1' netmask='255.255.255.0'/></network>`;
}

/** Describes how ports behave, inside the suite. */
export function describePorts({ driver, refused }: Tools): void {
  describe('ports', () => {
    const begin = async (name: string, n: number, more = ''): Promise<Network> => {
      const { network } = await driver().networkDefineXml({ xml: networkXml(name, n, more), validate: true });
      await driver().networkCreate({ network });
      return network!;
    };
    const end = async (network: Network) => {
      if ((await driver().networkIsActive({ network })).active) await driver().networkDestroy({ network, force: true });
      await driver().networkUndefine({ network });
    };
    const create = (network: Network, xml: string, options: { reclaim?: boolean; validate?: boolean; attachment?: Attachment } = {}) =>
      driver().networkPortCreateXml({ network, xml, reclaim: false, validate: false, attachment: undefined, ...options });
    const describeXml = async (port: NetworkPort) => (await driver().networkPortGetXmlDesc({ port })).xml;
    const list = async (network: Network) => (await driver().networkListAllPorts({ network })).ports.map(({ uuid }) => uuid);
    const dump = async (network: Network, inactive = false) => (await driver().networkDumpXml({ network, inactive })).xml;

    it('come, are found, counted, shown and listed, and go', async () => {
      const network = await begin('conf-ports', 30);
      expect(await list(network)).toEqual([]);
      const { port, xml, device, warnings } = await create(network, portXml(uuids[1]));
      expect({ port, device, warnings }).toEqual({ port: { network, uuid: uuids[1] }, device: '', warnings: [] });
      expect(xml).toBe(`<networkport>
  <uuid>${uuids[1]}</uuid>
  <owner>
    <name>guest</name>
    <uuid>11111111-2222-4333-8444-555555555555</uuid>
  </owner>
  <mac address='52:54:00:77:00:01'/>
  <plug type='network' bridge='conf-ports0'/>
</networkport>
`);
      expect(await driver().networkPortGetXmlDesc({ port })).toEqual({ xml, device: '', attachment: undefined });
      await create(network, portXml(uuids[0]));
      expect(await list(network)).toEqual([uuids[0], uuids[1]]);
      expect((await driver().networkPortLookupByUuid({ network, uuid: uuids[1].toUpperCase().replaceAll('-', '') })).port).toEqual(port);
      expect(await dump(network)).toContain("<network connections='2'>");
      expect(await dump(network, true)).toContain('<network>');
      await driver().networkPortDelete({ port });
      expect(await list(network)).toEqual([uuids[0]]);
      expect(await dump(network)).toContain("<network connections='1'>");
      await driver().networkPortDelete({ port: { network: { name: network.name, uuid: '' }, uuid: uuids[0] } });
      expect(await dump(network)).toContain('<network>');
      await end(network);
    });

    it('that are not there are not found, in any state of the network', async () => {
      const network = await begin('conf-noport', 31);
      const port = { network, uuid: unknownUuid };
      const calls = (handle: NetworkPort | undefined) => [
        () => driver().networkPortGetXmlDesc({ port: handle }), () => driver().networkPortGetParameters({ port: handle }),
        () => driver().networkPortSetParameters({ port: handle, parameters: listParameters({ 'inbound.average': 1 }) }), () => driver().networkPortDelete({ port: handle }),
      ];
      const lookup = (uuid: string) => driver().networkPortLookupByUuid({ network, uuid });
      const words = new RegExp(`^network port not found: Network port with UUID ${unknownUuid} does not exist$`);
      for (const call of [() => lookup(unknownUuid), ...calls(port)]) await refused(call(), ErrorCode.NO_NETWORK_PORT, words);
      for (const call of [() => lookup('junk'), ...calls({ network, uuid: 'junk' })]) await refused(call(), ErrorCode.INVALID_ARG, /junk/);
      for (const call of [...calls(undefined), ...calls({ network, uuid: '' })]) await refused(call(), ErrorCode.INVALID_NETWORK_PORT, /names no port/);
      await driver().networkDestroy({ network });
      for (const call of [() => lookup(unknownUuid), ...calls(port)]) await refused(call(), ErrorCode.NO_NETWORK_PORT, words);
      for (const call of [driver().networkListAllPorts({ network }), create(network, portXml(uuids[0]))]) {
        await refused(call, ErrorCode.OPERATION_INVALID, /^Requested operation is not valid: network 'conf-noport' is not active$/);
      }
      await driver().networkUndefine({ network });
      for (const call of [() => lookup(unknownUuid), () => driver().networkListAllPorts({ network }), () => create(network, portXml(uuids[0])), ...calls(port)]) {
        await refused(call(), ErrorCode.NO_NETWORK, /conf-noport/);
      }
    });

    it('are refused for their documents, with nothing left', async () => {
      const network = await begin('conf-portxml', 32);
      const documents: [string, ErrorCode, RegExp][] = [
        ['junk', ErrorCode.XML_DETAIL, /line 1/],
        ['<network/>', ErrorCode.XML_ERROR, /networkport/],
        [portXml('junk'), ErrorCode.INTERNAL_ERROR, /uuid/],
        [portXml(uuids[0], '', { owner: '' }), ErrorCode.INTERNAL_ERROR, /owner/],
        [portXml(uuids[0], '', { owner: '<owner><name>x</name></owner>' }), ErrorCode.INTERNAL_ERROR, /uuid/],
        [portXml(uuids[0], '', { mac: '' }), ErrorCode.INTERNAL_ERROR, /mac/],
        [portXml(uuids[0], '', { mac: "<mac address='x'/>" }), ErrorCode.INTERNAL_ERROR, /mac/],
        [portXml(uuids[0], "<plug type='junk'/>"), ErrorCode.XML_ERROR, /junk/],
        [portXml(uuids[0], "<plug type='network'/>"), ErrorCode.XML_ERROR, /bridge/],
        [portXml(uuids[0], "<plug type='network' bridge='x0' macTableManager='junk'/>"), ErrorCode.XML_ERROR, /junk/],
        [portXml(uuids[0], "<plug type='network' bridge='conf-portxml0'/>"), ErrorCode.INVALID_ARG, /Port reclaim not requested but plug type is not none/],
        [portXml(uuids[0], "<virtualport type='openvswitch'/>"), ErrorCode.CONFIG_UNSUPPORTED, /<virtualport type='openvswitch'> not supported for network 'conf-portxml'/],
        [portXml(uuids[0], "<bandwidth><inbound floor='5'/></bandwidth>"), ErrorCode.OPERATION_UNSUPPORTED, /no inbound QoS set/],
        [portXml(uuids[0], "<bandwidth><outbound floor='5'/></bandwidth>"), ErrorCode.CONFIG_UNSUPPORTED, /floor/],
        [portXml(uuids[0], "<bandwidth><inbound peak='5'/></bandwidth>"), ErrorCode.XML_DETAIL, /average/],
        [portXml(uuids[0], '<vlan/>'), ErrorCode.XML_ERROR, /tag/],
      ];
      for (const [xml, code, words] of documents) await refused(create(network, xml), code, words);
      await refused(create(network, portXml(uuids[0], '<colour/>'), { validate: true }), ErrorCode.XML_INVALID_SCHEMA, /colour/);
      expect(await list(network)).toEqual([]);
      const { port, warnings } = await create(network, portXml('', '<colour/>', { group: 'none' }));
      expect(warnings).toEqual([expect.stringMatching(/colour/), expect.stringMatching(/no <uuid>/), expect.stringMatching(/no port group 'none'/)]);
      await refused(create(network, portXml(port!.uuid)), ErrorCode.NETWORK_PORT_EXIST, new RegExp(`Network port with UUID ${port!.uuid} already exists`));
      await end(network);
    });

    it('inherit what their group and the network say', async () => {
      const network = await begin('conf-groups', 33, `<port isolated='yes'/><portgroup name='gold' trustGuestRxFilters='yes'><bandwidth><inbound average='100' peak='200'/></bandwidth></portgroup>
        <portgroup name='usual' default='yes'><bandwidth><outbound average='50'/></bandwidth></portgroup>`);
      const gold = (await create(network, portXml(uuids[0], '', { group: 'gold' }))).xml;
      expect(gold).toMatch(/<group>gold<\/group>[^]*<inbound average='100' peak='200'\/>[^]*<port isolated='yes'\/>\s*<rxfilters trustGuest='yes'\/>/);
      const usual = (await create(network, portXml(uuids[1], "<port isolated='no'/>"))).xml;
      expect(usual).toMatch(/<outbound average='50'\/>[^]*<port isolated='no'\/>\s*<plug/);
      const own = (await create(network, portXml(uuids[2], "<bandwidth><inbound average='7'/></bandwidth>"))).xml;
      expect(own).not.toContain('outbound');
      await end(network);
    });

    it('are reclaimed on the plug they have', async () => {
      const network = await begin('conf-reclaim', 34);
      const plugged = portXml(uuids[0], "<plug type='network' bridge='conf-reclaim0'/>");
      await refused(create(network, portXml(uuids[0]), { reclaim: true }), ErrorCode.INVALID_ARG, /Port reclaim requested but plug type is none/);
      await refused(create(network, plugged.replace('conf-reclaim0', 'other0'), { reclaim: true }), ErrorCode.INTERNAL_ERROR, /doesn't have bridge 'other0'/);
      await refused(create(network, portXml(uuids[0], "<plug type='direct' dev='e0'/>"), { reclaim: true }), ErrorCode.INTERNAL_ERROR, /doesn't have dev='e0' in use/);
      await refused(create(network, plugged, { reclaim: true, attachment: { existing: { device: 'x0' } } }), ErrorCode.INVALID_ARG, /takes no attachment/);
      const { port, xml } = await create(network, plugged, { reclaim: true });
      expect(await describeXml(port!)).toBe(xml);
      expect(xml).toContain("<plug type='network' bridge='conf-reclaim0'/>");
      await refused(create(network, plugged, { reclaim: true }), ErrorCode.NETWORK_PORT_EXIST, /already exists/);
      await end(network);
    });

    it('have a bandwidth that is replaced as a whole, and floors within what the network has', async () => {
      const network = await begin('conf-floors', 35, "<bandwidth><inbound average='1000' peak='2000'/></bandwidth>");
      const { port: first } = await create(network, portXml(uuids[0], "<bandwidth><inbound average='100' floor='500'/></bandwidth>"));
      const { port: second, xml } = await create(network, portXml(uuids[1], "<bandwidth><inbound floor='1500'/></bandwidth>"));
      expect(await describeXml(first!)).toContain("<bandwidth classID='3'>");
      expect(xml).toContain("<bandwidth classID='4'>");
      await refused(create(network, portXml(uuids[2], "<bandwidth><inbound floor='1'/></bandwidth>")), ErrorCode.OPERATION_INVALID,
        /^Requested operation is not valid: Cannot plug '52:54:00:77:00:01' interface into 'conf-floors0' because new combined inbound floor=2001 would overcommit peak=2000 on network 'conf-floors'$/);
      const parameters = async () => nameParameters((await driver().networkPortGetParameters({ port: first })).parameters);
      const set = (wanted: Record<string, number>) => driver().networkPortSetParameters({ port: first, parameters: listParameters(wanted) });
      const all = { 'inbound.average': 100, 'inbound.peak': 0, 'inbound.floor': 500, 'inbound.burst': 0 };
      expect(await parameters()).toEqual(all);
      await refused(set({ 'inbound.floor': 501 }), ErrorCode.OPERATION_INVALID, /overcommit/);
      await refused(set({ 'inbound.colour': 1 }), ErrorCode.INVALID_ARG, /inbound\.colour/);
      await refused(set({ 'outbound.floor': 1 }), ErrorCode.INVALID_ARG, /outbound\.floor/);
      expect(await parameters()).toEqual(all);
      await set({ 'outbound.average': 10, 'outbound.burst': 3 });
      expect(await parameters()).toEqual({ 'outbound.average': 10, 'outbound.peak': 0, 'outbound.burst': 3 });
      expect(await describeXml(first!)).toContain("<bandwidth>\n    <outbound average='10' burst='3'/>\n  </bandwidth>");
      await set({});
      expect(await parameters()).toEqual({});
      await driver().networkPortDelete({ port: second });
      const { xml: again } = await create(network, portXml(uuids[2], "<bandwidth><inbound floor='2000'/></bandwidth>"));
      expect(again).toContain("<bandwidth classID='3'>");
      await end(network);
    });

    it('keep their network from being stopped, and outlive a stop that is forced', async () => {
      const network = await begin('conf-inuse', 36);
      const names = ['one', 'two', 'three', 'four'];
      for (const [i, name] of names.entries()) await create(network, portXml(uuids[i]!, '', { owner: owner.replace('guest', name) }));
      await refused(driver().networkDestroy({ network }), ErrorCode.OPERATION_INVALID,
        /^Requested operation is not valid: network 'conf-inuse' is in use by 'one', 'two', 'three' and 1 more$/);
      expect((await driver().networkIsActive({ network })).active).toBe(true);
      await driver().networkDestroy({ network, force: true });
      expect(await list(network)).toEqual(uuids);
      const port = { network, uuid: uuids[3] };
      await refused(create(network, portXml(unknownUuid)), ErrorCode.OPERATION_INVALID, /not active/);
      await refused(driver().networkPortSetParameters({ port, parameters: listParameters({ 'inbound.average': 5 }) }), ErrorCode.OPERATION_INVALID, /not active/);
      expect(await describeXml(port)).toContain("<plug type='network'");
      await driver().networkPortDelete({ port });
      await driver().networkCreate({ network });
      expect(await list(network)).toEqual(uuids.slice(0, 3));
      expect(await dump(network)).toContain("<network connections='3'>");
      await end(network);
      await refused(driver().networkListAllPorts({ network }), ErrorCode.NO_NETWORK, /conf-inuse/);
    });

    it('are gone with a transient network', async () => {
      const { network } = await driver().networkCreateXml({ xml: networkXml('conf-pass', 37), validate: false });
      await create(network!, portXml(uuids[0]));
      await refused(driver().networkDestroy({ network }), ErrorCode.OPERATION_INVALID, /in use by 'guest'/);
      await driver().networkDestroy({ network, force: true });
      const again = await begin('conf-pass', 37);
      expect(await list(again)).toEqual([]);
      await end(again);
    });

    it('that come at once get what is each one\'s own', async () => {
      const network = await begin('conf-rush', 38, "<bandwidth><inbound average='1000'/></bandwidth>");
      const made = await Promise.allSettled(Array.from({ length: 12 }, (_, n) =>
        create(network, portXml(`00000000-aaaa-4bbb-8ccc-0000000001${String(n).padStart(2, '0')}`, "<bandwidth><inbound floor='100'/></bandwidth>"))));
      const classes = made.flatMap((one) => (one.status === 'fulfilled' ? /classID='(\d+)'/.exec(one.value.xml)![1]! : []));
      expect(classes.sort((a, b) => Number(a) - Number(b))).toEqual(['3', '4', '5', '6', '7', '8', '9', '10', '11', '12']);
      await end(network);
    });

    it('have devices, where devices are made up', async ({ skip }) => {
      if ((await driver().open({ driver: '' })).driver !== 'test') return skip('this driver has a real host, whose devices other tests make');
      const network = await begin('conf-tap', 39);
      const tap = (device: string): Attachment => ({ tap: { device, owner: '', group: '', queues: 0 } });
      const one = await create(network, portXml(uuids[0]), { attachment: tap('conf%d') });
      expect(one.device).toBe('conf0');
      const two = await create(network, portXml(uuids[1]), { attachment: { veth: { netns: 'blue', guestDevice: '', device: 'conf%d' } } });
      expect(two.device).toBe('conf1');
      expect(await driver().networkPortGetXmlDesc({ port: two.port })).toMatchObject({ device: 'conf1', attachment: { veth: { netns: 'blue', guestDevice: 'eth0', device: 'conf1' } } });
      await refused(create(network, portXml(uuids[2]), { attachment: tap('conf1') }), ErrorCode.SYSTEM_ERROR, /'conf1' exists already/);
      await refused(create(network, portXml(uuids[2]), { attachment: { existing: { device: 'conf1' } } }), ErrorCode.SYSTEM_ERROR, /another port's/);
      for (const bad of ['a b', 'x'.repeat(16), '../x', 'lo', '-x', 'x%dy%d', '%s']) {
        await refused(create(network, portXml(uuids[2]), { attachment: tap(bad) }), ErrorCode.INVALID_ARG, /is no name for a device/);
      }
      await refused(create(network, portXml(uuids[2]), { attachment: {} }), ErrorCode.INVALID_ARG, /one of tap, veth and existing/);
      await refused(create(network, portXml(uuids[2]), { attachment: { veth: { netns: '../x', guestDevice: '', device: '' } } }), ErrorCode.INVALID_ARG, /no network namespace/);
      await refused(create(network, portXml(uuids[2]), { attachment: { tap: { device: '', owner: 'a b', group: '', queues: 1 } } }), ErrorCode.INVALID_ARG, /no account/);
      await driver().networkPortDelete({ port: one.port });
      expect((await create(network, portXml(uuids[2]), { attachment: tap('conf%d') })).device).toBe('conf0');
      await end(network);
    });
  });
}
