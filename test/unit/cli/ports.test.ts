/** The commands for ports: what they ask for, what they print, how they end. */
import { beforeEach, describe, expect, it } from 'vitest';
import { openTestDriver } from '../../../server/driver/test-driver.js';
import type { NetworkDriver, NetworkPortCreateXmlRequest } from '../../../shared/gen/vnet/v1/network_driver.js';
import { runVnet, type Scene } from './run-vnet.js';

const uuid = '00000000-aaaa-4bbb-8ccc-00000000000a';
const portXml = `<networkport><uuid>${uuid}</uuid><owner><name>gu<![CDATA[e]]>st</name><uuid>11111111-2222-4333-8444-555555555555</uuid></owner>
  <mac address='52:54:00:00:00:0a'/><bandwidth><inbound average='100' peak='200'/></bandwidth></networkport>`;

let driver: NetworkDriver;
let asked: NetworkPortCreateXmlRequest[];
beforeEach(async () => {
  const real = await openTestDriver();
  asked = [];
  driver = real;
  const make = real.networkPortCreateXml;
  real.networkPortCreateXml = (request) => {
    asked.push(request);
    return make(request);
  };
});
const vnet = (line: string, scene: Scene = {}) => runVnet(line.split(' '), { driver, ...scene });
const given = () => vnet('port-create default -', { stdin: portXml });
const json = async (line: string) => JSON.parse((await vnet(`${line} -o json`)).out) as Record<string, unknown>[];

describe('attach', () => {
  it.each([
    ['--tap', { tap: { device: '', owner: '', group: '', queues: 0 } }],
    ['--tap --device lab%d --owner qemu --owner-group kvm --queues 4', { tap: { device: 'lab%d', owner: 'qemu', group: 'kvm', queues: 4 } }],
    ['--netns blue', { veth: { netns: 'blue', guestDevice: '', device: '' } }],
    ['--netns /proc/1/ns/net --guest-device net1 --device lab0', { veth: { netns: '/proc/1/ns/net', guestDevice: 'net1', device: 'lab0' } }],
    ['--device vif1.0 --mac 0:16:3e:1:2:3', { existing: { device: 'vif1.0' } }],
  ])('%s asks for what it says', async (options, attachment) => {
    expect(await vnet(`attach default ${options}`)).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^Device \S+ attached to network default as port [0-9a-f-]{36}\n\n$/) });
    expect(asked.map((request) => request.attachment)).toEqual([attachment]);
  });

  it('says who the guest is and what it may have', async () => {
    await vnet('attach default --tap --guest vm1 --guest-uuid 22222222-2222-4333-8444-555555555555 --mac 52:54:0:A:b:1 --group gold --isolated --inbound 100,200,64 --outbound 50');
    const [xml] = asked.map((request) => request.xml);
    expect(xml!.replace(/.*\n/, '').replace(/.*\n/, '')).toBe(`  <owner>
    <name>vm1</name>
    <uuid>22222222-2222-4333-8444-555555555555</uuid>
  </owner>
  <group>gold</group>
  <mac address='52:54:00:0a:0b:01'/>
  <bandwidth>
    <inbound average='100' peak='200' burst='64'/>
    <outbound average='50'/>
  </bandwidth>
  <port isolated='yes'/>
</networkport>
`);
  });

  it('gives a script the device alone, and a program everything', async () => {
    expect((await vnet('-q attach default --tap')).out).toBe('vnet0\n');
    expect(await json('attach default --tap --guest vm2 --mac 52:54:00:00:00:02')).toEqual([{
      uuid: expect.stringMatching(/^[0-9a-f-]{36}$/), network: 'default', guest: 'vm2', guestUuid: expect.any(String), mac: '52:54:00:00:00:02', group: null,
      device: 'vnet1', plug: { type: 'network', bridge: 'virbr0' }, bandwidth: null, vlan: null, isolated: false, warnings: [],
    }]);
  });

  it.each([
    ['', /what to attach is missing/],
    ['--tap --netns blue', /mutually exclusive/],
    ['--device vif1.0', /MAC address is missing/],
    ['--netns blue --owner x', /--owner, --owner-group and --queues are for --tap/],
    ['--tap --guest-device x', /--guest-device is for --netns/],
    ['--tap --mac junk', /--mac cannot be 'junk'/],
    ['--tap --inbound 1,x', /whole numbers, not 'x'/],
    ['--tap --outbound 1,2,3,4', /at most 3 numbers: average,peak,burst/],
    ['--tap --queues many', /whole numbers/],
  ])('%s is no command line', async (options, words) => {
    expect(await vnet(`attach default ${options}`.trim())).toMatchObject({ code: 2, out: '\n', err: expect.stringMatching(words) });
    expect(asked).toEqual([]);
  });

  it('fails in the words of the host', async () => {
    expect(await vnet('attach private --tap')).toMatchObject({
      code: 4, err: "error: Failed to attach a guest to network private\nerror: Requested operation is not valid: network 'private' is not active\n",
    });
    expect((await vnet('attach default --tap --device a/b')).err).toMatch(/'a\/b' is no name for a device/);
  });
});

describe('ports', () => {
  it('shows who sits where', async () => {
    await given();
    await vnet('attach default --netns blue --mac 52:54:00:00:00:0b --device zz0');
    const { out } = await vnet('ports default');
    const [heading, rule, ...rows] = out.split('\n');
    expect(heading).toBe(' UUID                                   Guest   MAC address         Device   Plugged into   Group');
    expect(rule).toMatch(/^-+$/);
    expect(rows.join('\n')).toContain(` ${uuid}   guest   52:54:00:00:00:0a   -        virbr0         -`);
    expect(rows.join('\n')).toMatch(/ blue    52:54:00:00:00:0b   zz0      virbr0 /);
    expect((await json('ports default')).map(({ guest, device }) => [guest, device]).sort()).toEqual([['blue', 'zz0'], ['guest', null]]);
    expect((await vnet('ports default -o uuid')).out).toContain(`${uuid}\n`);
  });

  it('of a guest with a name to disturb a terminal are shown all the same', async () => {
    await vnet('port-create default -', { stdin: portXml.replace('gu<![CDATA[e]]>st', 'a\u202eb') });
    expect((await vnet('ports default')).out).not.toContain('\u202e');
  });
});

describe('a port', () => {
  it.each([uuid, uuid.toUpperCase(), '52:54:0:0:0:a', 'guest'])('is found as %s', async (word) => {
    await given();
    expect((await vnet(`port-dumpxml default ${word}`)).out).toContain(`<uuid>${uuid}</uuid>`);
  });

  it('is found by its device, or not', async () => {
    await vnet('attach default --tap --device tap7');
    expect(await vnet('detach default tap7')).toMatchObject({ code: 0, out: expect.stringMatching(/^Network port \S+ deleted\n\n$/) });
    expect(await vnet('detach default tap7')).toMatchObject({ code: 3, err: expect.stringMatching(/^error: failed to get network port 'tap7'\nhint: .*vnet ports default\n$/) });
    expect(await vnet(`detach default ${uuid}`)).toMatchObject({ code: 3, err: expect.stringMatching(/failed to get network port .*\nerror: network port not found/) });
  });

  it('is not guessed if a word fits several', async () => {
    for (const n of [1, 2]) await vnet(`attach default --tap --guest twin --mac 52:54:00:00:00:0${n}`);
    expect(await vnet('detach default twin')).toMatchObject({ code: 2, err: expect.stringMatching(/2 ports fit/) });
    expect(await json('ports default')).toHaveLength(2);
  });

  it('is tuned: what is not given stays', async () => {
    await given();
    expect((await vnet('tune default guest')).out).toBe('inbound.average: 100\ninbound.peak:   200\ninbound.floor:  0\ninbound.burst:  0\n\n');
    expect(await vnet('tune default guest --outbound 50,60,7')).toMatchObject({ code: 0, out: `Bandwidth of network port ${uuid} changed\n\n` });
    expect(await json('tune default guest')).toEqual([{ uuid, network: 'default', parameters: {
      'inbound.average': 100, 'inbound.peak': 200, 'inbound.floor': 0, 'inbound.burst': 0, 'outbound.average': 50, 'outbound.peak': 60, 'outbound.burst': 7,
    } }]);
    await vnet('tune default guest --inbound none');
    expect(Object.keys((await json('tune default guest'))[0]!['parameters'] as object)).toEqual(['outbound.average', 'outbound.peak', 'outbound.burst']);
    expect(await vnet('tune default guest --inbound 1,2,3,4')).toMatchObject({ code: 1, err: expect.stringMatching(/no inbound QoS set/) });
  });
});

describe('completion', () => {
  it('offers the devices of the network that was typed, and the UUIDs of ports without one', async () => {
    await given();
    await vnet('attach default --tap --guest vm1 --mac 52:54:00:00:00:0b');
    const { out } = await runVnet(['__complete', '--', 'detach', 'default', ''], { driver });
    expect(out.split('\n').filter((line) => line !== '').sort()).toEqual([`${uuid}\tguest, 52:54:00:00:00:0a`, 'vnet0\tvm1, 52:54:00:00:00:0b']);
    expect((await runVnet(['__complete', '--', 'detach', 'default', 'vn'], { driver })).out).toMatch(/^vnet0\t/);
  });
});

describe('destroy', () => {
  it('says who uses the network, and stops it if it must', async () => {
    await given();
    expect(await vnet('destroy default')).toMatchObject({ code: 4, err: expect.stringMatching(/in use by 'guest'\nhint: .*vnet destroy --force default/) });
    expect(await vnet('destroy --force default')).toMatchObject({ code: 0, out: 'Network default destroyed\n\n' });
    expect((await json('ports default'))[0]).toMatchObject({ guest: 'guest' });
  });
});
