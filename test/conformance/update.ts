/**
 * Lives here: what every NetworkDriver must do when a part of a network is
 * changed, in every state and for every refusal. Does not know: which driver it
 * is given.
 */
import { expect, it } from 'vitest';
import { ErrorCode } from '../../shared/errors.js';
import type { Network, NetworkDriver, NetworkUpdateRequest } from '../../shared/gen/vnet/v1/network_driver.js';
import { refused } from './refused.js';

const [modify, remove, addLast, addFirst] = [1, 2, 3, 4];
const sections = { bridge: 1, domain: 2, ip: 3, host: 4, range: 5, forward: 6, device: 7, pf: 8, group: 9, dnsHost: 10, txt: 11, srv: 12 };

/** Registers the tests. Subnets from 10.78.N.0/24 are theirs. */
export function describeUpdates(get: () => NetworkDriver): void {
  const xml = (name: string, n: number, more = '') => `<network><name>${name}</name>${more}
  <forward mode='nat'/><domain name='d.test'/><dns><txt name='t1' value='v'/><srv service='s' protocol='tcp'/><host ip='10.78.${n}.9'><hostname>a</hostname></host></dns>
  <ip address='10.78.${n}.1' prefix='24'><dhcp><range start='10.78.${n}.10' end='10.78.${n}.20'/><host mac='52:54:00:00:00:0a' name='h1' ip='10.78.${n}.50'/></dhcp></ip>
  <portgroup name='p' default='yes'/></network>`;
  const define = async (name: string, n: number): Promise<Network> => (await get().networkDefineXml({ xml: xml(name, n), validate: false })).network!;
  const update = (network: Network, command: number, section: number, part: string, more: Partial<NetworkUpdateRequest> = {}) =>
    get().networkUpdate({ network, command, section, xml: part, live: false, config: false, dryRun: false, ...more });
  const dump = async (network: Network, inactive: boolean): Promise<string> => (await get().networkDumpXml({ network, inactive })).xml;
  const host = (n: number, last: number) => `<host mac='52:54:00:00:01:${last.toString(16).padStart(2, '0')}' ip='10.78.${n}.${last}'/>`;

  it('changes the definition that is asked for: live, saved, both, or the current one', async () => {
    const network = await define('conf-upd-where', 1);
    expect(await update(network, addLast, sections.host, host(1, 60))).toMatchObject({ live: false, config: true, changes: [] });
    expect(await dump(network, false)).toContain('10.78.1.60');
    await refused(update(network, addLast, sections.host, host(1, 61), { live: true }), ErrorCode.OPERATION_INVALID, /network is not running/);
    await refused(update(network, addLast, sections.host, host(1, 61), { live: true, config: true }), ErrorCode.OPERATION_INVALID, /network is not running/);
    await get().networkCreate({ network });
    expect(await update(network, addLast, sections.host, host(1, 62))).toMatchObject({ live: true, config: false });
    expect([(await dump(network, false)).includes('10.78.1.62'), (await dump(network, true)).includes('10.78.1.62')]).toEqual([true, false]);
    expect(await update(network, addFirst, sections.host, host(1, 63), { config: true })).toMatchObject({ live: false, config: true });
    expect([(await dump(network, false)).includes('10.78.1.63'), (await dump(network, true)).includes('10.78.1.63')]).toEqual([false, true]);
    expect(await update(network, addLast, sections.host, host(1, 64), { live: true, config: true })).toMatchObject({ live: true, config: true });
    for (const inactive of [false, true]) expect(await dump(network, inactive)).toContain('10.78.1.64');
    await get().networkUndefine({ network });
    await refused(update(network, addLast, sections.host, host(1, 65), { config: true }), ErrorCode.OPERATION_INVALID, /cannot change persistent config of a transient network/);
    expect(await update(network, addLast, sections.host, host(1, 65))).toMatchObject({ live: true, config: false });
    await get().networkDestroy({ network });
    await refused(update(network, addLast, sections.host, host(1, 66)), ErrorCode.NO_NETWORK, /conf-upd-where/);
  });

  it('changes both definitions or neither', async () => {
    const network = await define('conf-upd-both', 2);
    await get().networkCreate({ network });
    for (const [where, other] of [['live', 'config'], ['config', 'live']] as const) {
      await update(network, addLast, sections.host, host(2, where === 'live' ? 70 : 71), { [where]: true });
      const before = [await dump(network, false), await dump(network, true)];
      await refused(update(network, addLast, sections.host, host(2, where === 'live' ? 70 : 71), { [where]: true, [other]: true }), ErrorCode.OPERATION_INVALID, /existing dhcp host/);
      expect([await dump(network, false), await dump(network, true)]).toEqual(before);
    }
    await get().networkDestroy({ network });
    await get().networkUndefine({ network });
  });

  const legal: [string, number, (n: number) => string][] = [
    ['range', addLast, (n) => `<range start='10.78.${n}.30' end='10.78.${n}.40'/>`], ['range', remove, (n) => `<range start='10.78.${n}.30' end='10.78.${n}.40'/>`],
    ['host', addFirst, (n) => host(n, 80)], ['host', modify, (n) => host(n, 80).replace('/>', " name='eighty'/>")], ['host', remove, () => "<host name='eighty'/>"],
    ['dnsHost', addLast, (n) => `<host ip='10.78.${n}.8'><hostname>b</hostname></host>`], ['dnsHost', modify, (n) => `<host ip='10.78.${n}.8'><hostname>c</hostname></host>`], ['dnsHost', remove, () => '<host><hostname>c</hostname></host>'],
    ['txt', addLast, () => "<txt name='t2' value='x'/>"], ['txt', modify, () => "<txt name='t2' value='y'/>"], ['txt', remove, () => "<txt name='t2'/>"],
    ['srv', addFirst, () => "<srv service='s2' protocol='udp'/>"], ['srv', remove, () => "<srv service='s2'/>"],
    ['group', addLast, () => "<portgroup name='q'/>"], ['group', modify, () => "<portgroup name='q'><bandwidth><inbound average='100'/></bandwidth></portgroup>"], ['group', remove, () => "<portgroup name='q'/>"],
    ['device', addLast, () => "<interface dev='lo'/>"], ['device', remove, () => "<interface dev='lo'/>"],
    ['domain', modify, () => "<domain name='e.test'/>"], ['domain', remove, () => "<domain name='e.test'/>"], ['domain', addLast, () => "<domain name='d.test'/>"],
    ['ip', addLast, (n) => `<ip address='10.78.${n + 100}.1' prefix='24'/>`], ['ip', remove, (n) => `<ip address='10.78.${n + 100}.1'/>`],
    ['ip', addFirst, (n) => `<ip family='ipv6' address='fd00:78:${n}::1' prefix='64'/>`], ['ip', remove, (n) => `<ip family='ipv6' address='fd00:78:${n}::1'/>`],
  ];

  it('changes every section, of an active and of an inactive network, and back', async () => {
    const network = await define('conf-upd-all', 3);
    for (const active of [false, true]) {
      if (active) await get().networkCreate({ network });
      const before = await dump(network, !active);
      for (const [section, command, part] of legal) {
        const last = await dump(network, !active);
        const { live } = await update(network, command, sections[section as keyof typeof sections], part(3));
        expect(live).toBe(active);
        expect(await dump(network, !active), `${section} ${command}`).not.toBe(last);
      }
      expect(await dump(network, !active)).toBe(before);
    }
    await get().networkDestroy({ network });
    await get().networkUndefine({ network });
  });

  it('refuses what libvirt refuses, and changes nothing', async () => {
    const network = await define('conf-upd-not', 4);
    const { OPERATION_UNSUPPORTED, OPERATION_INVALID, XML_ERROR, XML_DETAIL, INTERNAL_ERROR, CONFIG_UNSUPPORTED } = ErrorCode;
    const illegal: [number, number, string, ErrorCode, RegExp, number?][] = [
      ...[sections.bridge, sections.forward, sections.pf].flatMap((section) => [modify, remove, addLast, addFirst].map((command): [number, number, string, ErrorCode, RegExp] =>
        [command, section, '<x/>', OPERATION_UNSUPPORTED, /can't update '.*' section of network 'conf-upd-not'/])),
      [addLast, 0, '<x/>', OPERATION_UNSUPPORTED, /unrecognized section/], [addLast, 13, '<x/>', OPERATION_UNSUPPORTED, /unrecognized section/],
      [0, sections.host, host(4, 60), OPERATION_UNSUPPORTED, /unrecognized network update command/], [9, sections.host, host(4, 60), OPERATION_UNSUPPORTED, /unrecognized network update command/],
      [modify, sections.range, "<range start='10.78.4.30' end='10.78.4.40'/>", OPERATION_UNSUPPORTED, /cannot be modified/],
      [modify, sections.device, "<interface dev='lo'/>", OPERATION_UNSUPPORTED, /cannot be modified/], [modify, sections.srv, "<srv service='s'/>", OPERATION_UNSUPPORTED, /cannot be modified/],
      [modify, sections.ip, "<ip address='10.78.4.1'/>", OPERATION_UNSUPPORTED, /cannot be modified/],
      [addLast, sections.host, '<host', XML_DETAIL, /line 1/], [addLast, sections.host, '<hos/>', XML_ERROR, /<host>/],
      [addLast, sections.host, "<host mac='52:54:00:00:00:0a' ip='10.78.4.60'/>", OPERATION_INVALID, /existing dhcp host entry/],
      [addLast, sections.host, "<host mac='52:54:00:00:00:0b' ip='fd00::1'/>", OPERATION_INVALID, /address family/], [addLast, sections.host, host(4, 60), OPERATION_INVALID, /no <ip> element found at index 7/, 7],
      [modify, sections.host, host(4, 60), OPERATION_INVALID, /couldn't locate/], [remove, sections.host, host(4, 60), OPERATION_INVALID, /couldn't locate/], [remove, sections.host, '<host/>', XML_ERROR, /at least one/],
      [addLast, sections.range, "<range start='10.78.4.10' end='10.78.4.20'/>", OPERATION_INVALID, /existing dhcp range/], [remove, sections.range, "<range start='10.78.4.10' end='10.78.4.21'/>", OPERATION_INVALID, /couldn't locate/],
      [addLast, sections.range, "<range start='10.79.4.10' end='10.79.4.20'/>", INTERNAL_ERROR, /not in the subnet/],
      [remove, sections.device, "<interface dev='lo'/>", OPERATION_INVALID, /couldn't find/],
      [addLast, sections.group, "<portgroup name='p'/>", OPERATION_INVALID, /existing portgroup/], [addLast, sections.group, "<portgroup name='q' default='yes'/>", OPERATION_INVALID, /Only one default/],
      [modify, sections.group, "<portgroup name='q'/>", OPERATION_INVALID, /couldn't find/], [remove, sections.group, "<portgroup name='q'/>", OPERATION_INVALID, /couldn't find/],
      [addLast, sections.group, "<portgroup name='q'><vlan><tag id='1'/></vlan></portgroup>", CONFIG_UNSUPPORTED, /VLAN/],
      [addLast, sections.dnsHost, "<host ip='10.78.4.9'><hostname>z</hostname></host>", OPERATION_INVALID, /already/], [remove, sections.dnsHost, '<host><hostname>z</hostname></host>', OPERATION_INVALID, /couldn't locate/],
      [addLast, sections.txt, "<txt name='t1' value='x'/>", OPERATION_INVALID, /already/], [remove, sections.txt, "<txt name='t9'/>", OPERATION_INVALID, /couldn't locate/], [modify, sections.txt, "<txt name='t1'/>", OPERATION_INVALID, /value/],
      [addLast, sections.srv, "<srv service='s' protocol='tcp'/>", OPERATION_INVALID, /already/], [remove, sections.srv, "<srv service='nope'/>", OPERATION_INVALID, /couldn't locate/],
      [addLast, sections.domain, "<domain name='e.test'/>", OPERATION_INVALID, /already/], [remove, sections.domain, "<domain name='e.test'/>", OPERATION_INVALID, /couldn't find/],
      [addLast, sections.ip, "<ip address='10.78.4.1' prefix='24'/>", OPERATION_INVALID, /existing ip/], [remove, sections.ip, "<ip address='10.78.5.1'/>", OPERATION_INVALID, /couldn't find/],
      [remove, sections.ip, "<ip address='10.78.4.1'/>", XML_ERROR, /needs at least one <ip>/],
    ];
    for (const active of [false, true]) {
      if (active) await get().networkCreate({ network });
      const before = [await dump(network, false), await dump(network, true)];
      for (const [command, section, part, code, words, parentIndex] of illegal) {
        await refused(update(network, command, section, part, { ...(parentIndex === undefined ? {} : { parentIndex }) }), code, words);
      }
      expect([await dump(network, false), await dump(network, true)]).toEqual(before);
    }
    await get().networkDestroy({ network });
    await get().networkUndefine({ network });
  });

  it('refuses an address on a subnet that is in use', async () => {
    const [one, two] = [await define('conf-upd-sub-a', 5), await define('conf-upd-sub-b', 6)];
    for (const network of [one, two]) await get().networkCreate({ network });
    await refused(update(one, addLast, sections.ip, "<ip address='10.78.6.129' prefix='25'/>"), ErrorCode.INTERNAL_ERROR, /already in use by interface .* of network 'conf-upd-sub-b'/);
    expect(await dump(one, false)).not.toContain('10.78.6.129');
    for (const network of [one, two]) {
      await get().networkDestroy({ network });
      await get().networkUndefine({ network });
    }
  });

  it('tries without changing anything, if asked to', async () => {
    const network = await define('conf-upd-dry', 7);
    await get().networkCreate({ network });
    const before = [await dump(network, false), await dump(network, true)];
    expect(await update(network, addLast, sections.host, host(7, 60), { dryRun: true, live: true, config: true })).toMatchObject({ live: true, config: true });
    await refused(update(network, remove, sections.host, host(7, 60), { dryRun: true }), ErrorCode.OPERATION_INVALID, /couldn't locate/);
    expect([await dump(network, false), await dump(network, true)]).toEqual(before);
    await get().networkDestroy({ network });
    await get().networkUndefine({ network });
  });

  it('says which parts of a new definition wait for the next start, and tries one without defining it', async () => {
    const fresh = await get().networkDefineXml({ xml: xml('conf-upd-new', 8), validate: false, dryRun: true });
    expect(fresh).toMatchObject({ network: { name: 'conf-upd-new', uuid: '' }, pending: [] });
    await refused(get().networkLookupByName({ name: 'conf-upd-new' }), ErrorCode.NO_NETWORK, /conf-upd-new/);
    const network = await define('conf-upd-pend', 9);
    await get().networkCreate({ network });
    const saved = await dump(network, true);
    const same = await get().networkDefineXml({ xml: saved, validate: false });
    expect(same.pending).toEqual([]);
    const other = saved.replace("stp='on'", "stp='off'").replace("end='10.78.9.20'", "end='10.78.9.21'").replace('</dhcp>', `${host(9, 60)}</dhcp>`);
    const pending = ['bridge/@stp', 'ip/dhcp/range/@end', 'ip/dhcp/host[2]'];
    expect((await get().networkDefineXml({ xml: other, validate: false, dryRun: true })).pending).toEqual(pending);
    expect(await dump(network, true)).toBe(saved);
    expect((await get().networkDefineXml({ xml: other, validate: false })).pending).toEqual(pending);
    await update(network, addLast, sections.host, host(9, 60));
    expect((await get().networkDefineXml({ xml: other, validate: false })).pending).toEqual(pending.slice(0, 2));
    await get().networkDestroy({ network });
    expect((await get().networkDefineXml({ xml: saved, validate: false })).pending).toEqual([]);
    await get().networkUndefine({ network });
  });
}
