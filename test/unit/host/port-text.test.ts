/** What is told to ip, bridge, tc and ovs-vsctl of a port, word for word; also what this machine's kernel cannot do. */
import { describe, expect, it } from 'vitest';
import type { NetworkPlan, PortPlan } from '../../../server/driver/host.js';
import { CommandError, type Commands } from '../../../server/host/command.js';
import { openPorts } from '../../../server/host/port.js';
import { renderPlug, renderTable, renderUp } from '../../../server/host/port/bridge-port.js';
import { ipLines, parseDevice } from '../../../server/host/port/device.js';
import { parseFloors } from '../../../server/host/port/floor.js';
import { limit, relimit } from '../../../server/host/port/limits.js';
import { renderMacvlan, renderMacvtap } from '../../../server/host/port/macvtap.js';
import { renderSwitchPort } from '../../../server/host/port/open-vswitch.js';
import { renderTap } from '../../../server/host/port/tap.js';
import { renderVeth } from '../../../server/host/port/veth.js';
import { silentLog } from '../../../server/log.js';
import { parseNetwork, type Vlan } from '../../../shared/definition/index.js';
import { ErrorCode } from '../../../shared/errors.js';

const uuid = '01234567-89ab-4cde-8f01-23456789abcd';
const port = (rest: Partial<PortPlan> = {}): PortPlan => ({
  uuid, mac: '52:54:00:01:02:03', owner: 'web', plug: { type: 'bridge', bridge: 'br0', managed: false }, isolated: false, trustGuestRxFilters: false, ...rest,
});
const network = (bridge = "<bridge name='br0'/>"): NetworkPlan => {
  const { definition } = parseNetwork(`<network><name>lan</name><forward mode='bridge'/>${bridge}</network>`);
  return { uuid, name: 'lan', bridge: '', definition };
};
const br0 = { name: 'br0', mtu: 1500, filtersVlans: true, defaultVlan: 1 };
const table = (vlan: Vlan, defaultVlan = 1) => ipLines(renderTable(network(), port({ vlan }), { ...br0, defaultVlan }, 'tap0')).trim().split('\n');

describe('what is told of a port', () => {
  it('that is a tap', () => {
    expect(ipLines(renderTap(port(), { type: 'tap', device: 'tap0', owner: 'libvirt-qemu', group: '107', queues: 4 }, 1400))).toBe(
      'tuntap add dev tap0 mode tap user libvirt-qemu group 107 multi_queue\n'
      + `link set dev tap0 alias vnet:${uuid}\nlink set dev tap0 address fe:54:00:01:02:03 mtu 1400\n`);
    expect(renderTap(port(), { type: 'tap', device: 'tap0', owner: '', group: '', queues: 1 }, 1500)[0]!.join(' ')).toBe('tuntap add dev tap0 mode tap');
  });

  it('that is a pair', () => {
    expect(ipLines(renderVeth(port(), { type: 'veth', device: 'v0', netns: 'blue', guestDevice: 'eth0' }, 1500))).toBe(
      'link add name v0 mtu 1500 address fe:54:00:01:02:03 type veth peer name vnp23456789abcd mtu 1500 address 52:54:00:01:02:03\n'
      + `link set dev v0 alias vnet:${uuid}\nlink set dev vnp23456789abcd alias vnet:${uuid}\nlink set dev vnp23456789abcd netns /run/netns/blue name eth0 up\n`);
  });

  it('that is on the LAN', () => {
    const direct = { type: 'direct', device: 'eno1', mode: 'vepa' } as const;
    const tap = { type: 'tap', device: 'mt0', owner: '', group: '', queues: 2 } as const;
    expect(renderMacvtap(port(), direct, tap)[0]!.join(' ')).toBe('link add link eno1 name mt0 address 52:54:00:01:02:03 numtxqueues 2 numrxqueues 2 type macvtap mode vepa');
    expect(ipLines(renderMacvlan(port({ mtu: 1400 }), { ...direct, mode: 'passthrough' }, { type: 'veth', device: 'mv0', netns: '/proc/1/ns/net', guestDevice: 'eth0' }))).toBe(
      `link add link eno1 name mv0 address 52:54:00:01:02:03 mtu 1400 type macvlan mode passthru\nlink set dev mv0 alias vnet:${uuid}\n`
      + 'link set dev eno1 up\nlink set dev mv0 address 52:54:00:01:02:03\nlink set dev mv0 netns /proc/1/ns/net name eth0 up\n');
  });

  it('on a bridge', () => {
    expect(ipLines(renderPlug(network(), port({ isolated: true }), br0, 'tap0'))).toBe('link set dev tap0 master br0\nlink set dev tap0 type bridge_slave isolated on\n');
    expect(ipLines(renderUp(br0, 'tap0'))).toBe('link set dev br0 mtu 1500\nlink set dev tap0 up\n');
    const told = network("<bridge name='br0' macTableManager='libvirt'/>");
    expect(renderPlug(told, port(), br0, 'tap0')[1]!.join(' ')).toBe('link set dev tap0 type bridge_slave isolated off learning off flood off');
    expect(ipLines(renderTable(told, port(), br0, 'tap0'))).toBe('fdb replace 52:54:00:01:02:03 dev tap0 master static\n');
  });

  it.each<[string, Vlan, string[]]>([
    ['one', { tags: [{ id: 42 }] }, ['vlan add dev tap0 vid 42 pvid untagged']],
    ['a trunk', { trunk: true, tags: [{ id: 5 }, { id: 6 }] }, ['vlan add dev tap0 vid 5', 'vlan add dev tap0 vid 6']],
    ['a trunk of one', { trunk: true, tags: [{ id: 5 }] }, ['vlan add dev tap0 vid 5']],
    ['several, which are a trunk', { tags: [{ id: 5 }, { id: 6 }] }, ['vlan add dev tap0 vid 5', 'vlan add dev tap0 vid 6']],
    ['a trunk with a native one', { trunk: true, tags: [{ id: 5 }, { id: 6, nativeMode: 'untagged' }] }, ['vlan add dev tap0 vid 5', 'vlan add dev tap0 vid 6 pvid untagged']],
    ['a trunk with a tagged native one', { trunk: true, tags: [{ id: 6, nativeMode: 'tagged' }, { id: 5 }] }, ['vlan add dev tap0 vid 6 pvid', 'vlan add dev tap0 vid 5']],
  ])('in VLANs of a Linux bridge: %s', (_, vlan, lines) => {
    expect(table(vlan)).toEqual(['vlan del dev tap0 vid 1', ...lines]);
    expect(table(vlan, 0)).toEqual(lines);
  });

  it('on Open vSwitch', () => {
    const one = port({ virtualPort: { type: 'openvswitch', parameters: { interfaceId: uuid, profileId: 'a b' } }, ownerUuid: uuid, mtu: 1400, vlan: { trunk: true, tags: [{ id: 5 }, { id: 6, nativeMode: 'tagged' }] } });
    expect(renderSwitchPort(one, 'ovs0', 'tap0').join(' ')).toBe(
      `--timeout=10 --may-exist add-port ovs0 tap0 -- set Port tap0 tag=6 trunks=5,6 vlan_mode=native-tagged protected=false external_ids:vnet-port="${uuid}"`
      + ` -- set Interface tap0 external_ids:attached-mac="52:54:00:01:02:03" external_ids:iface-id="${uuid}" external_ids:iface-status="active"`
      + ` external_ids:vm-id="${uuid}" external_ids:port-profile="a b" mtu_request=1400`);
    expect(renderSwitchPort(port({ vlan: { tags: [{ id: 9 }] } }), 'ovs0', 'tap0')).toEqual(expect.arrayContaining(['tag=9', 'trunks=[]', 'vlan_mode=[]']));
  });

  it.each([
    ['a device', () => renderTap(port(), { type: 'tap', device: 't 0', owner: '', group: '', queues: 1 }, 1500)],
    ['an owner', () => renderTap(port(), { type: 'tap', device: 't0', owner: 'a b', group: '', queues: 1 }, 1500)],
    ['a group', () => renderTap(port(), { type: 'tap', device: 't0', owner: '', group: 'x\ny', queues: 1 }, 1500)],
    ['queues', () => renderTap(port(), { type: 'tap', device: 't0', owner: '', group: '', queues: 257 }, 1500)],
    ['a MAC address', () => renderTap(port({ mac: '52:54:00:01:02:03 x' }), { type: 'tap', device: 't0', owner: '', group: '', queues: 1 }, 1500)],
    ['a namespace', () => renderVeth(port(), { type: 'veth', device: 'v0', netns: '/a b', guestDevice: 'eth0' }, 1500)],
    ['a namespace with dots', () => renderVeth(port(), { type: 'veth', device: 'v0', netns: '..', guestDevice: 'eth0' }, 1500)],
    ["a guest's device", () => renderVeth(port(), { type: 'veth', device: 'v0', netns: 'blue', guestDevice: 'e/0' }, 1500)],
    ['a profile', () => renderSwitchPort(port({ virtualPort: { type: 'openvswitch', parameters: { profileId: 'a\n-- del-br x' } } }), 'ovs0', 't0')],
    ['a VLAN', () => table({ tags: [{ id: 4095 }] })],
  ])('is refused with %s that could be read as something else', (_, render) => {
    expect(render).toThrow();
  });
});

/** A door that answers as a machine would whose bridge shows these facts. */
function machine(facts: Record<string, unknown>, fails: (line: string) => boolean = () => false): { commands: Commands; told: string[] } {
  const told: string[] = [];
  const commands: Commands = {
    require: async () => undefined,
    follow: () => Promise.reject(new Error('not asked for')),
    read: async () => JSON.stringify([{ ifname: 'lo', ifindex: 1, mtu: 1500, linkinfo: { info_kind: 'bridge', info_data: facts } }]),
    run: async (tool, argv, { input = '' } = {}) => {
      const lines = input.split('\n').filter((line) => line !== '');
      const failed = lines.findIndex(fails);
      told.push(...(lines.length === 0 ? [`${tool} ${argv.join(' ')}`] : lines.slice(0, failed < 0 ? undefined : failed).map((line) => `${tool} ${line}`)));
      if (failed >= 0) throw new CommandError(tool, `Error: refused.\nCommand failed -:${failed + 1}`);
    },
  };
  return { commands, told };
}

describe('a VLAN on a Linux bridge', () => {
  // The one interface that is there on every machine stands in for the bridge.
  const asked = port({ plug: { type: 'bridge', bridge: 'lo', managed: false }, vlan: { tags: [{ id: 5 }] }, attachment: { type: 'tap', device: 'vnet-no-such', owner: '', group: '', queues: 1 } });
  const attach = (facts: Record<string, unknown>) => {
    const { commands, told } = machine(facts);
    return { told, done: openPorts(commands, silentLog, '/sys').attach(network(), asked) };
  };

  it('is refused, with the reason, where the kernel does not filter, or the bridge', async () => {
    const without = attach({ vlan_filtering: 0 });
    await expect(without.done).rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED, message: expect.stringContaining('kernel that filters VLANs') });
    const off = attach({ vlan_filtering: 0, vlan_default_pvid: 1 });
    await expect(off.done).rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED, hint: expect.stringContaining('vlan_filtering 1') });
    expect([...without.told, ...off.told].filter((line) => line.includes('add'))).toEqual([]);
  });

  it('is set between plugging in and setting up', async () => {
    const { told, done } = attach({ vlan_filtering: 1, vlan_default_pvid: 1 });
    await done;
    expect(told.slice(3)).toEqual([
      'ip link set dev vnet-no-such master lo', 'ip link set dev vnet-no-such type bridge_slave isolated off',
      'bridge vlan del dev vnet-no-such vid 1', 'bridge vlan add dev vnet-no-such vid 5 pvid untagged',
      'ip link set dev lo mtu 1500', 'ip link set dev vnet-no-such up',
    ]);
  });
});

describe('the limits of a guest', () => {
  const both = port({ bandwidth: { inbound: { average: 100, peak: 200, burst: 30 }, outbound: { average: 50 } } });

  it('are a queue, and police where the kernel has it', async () => {
    const { commands, told } = machine({});
    await limit(commands, both, { device: 'tap0', swapped: false });
    expect(told).toEqual([
      'tc qdisc add dev tap0 root handle 1: htb default 2',
      'tc class add dev tap0 parent 1: classid 1:1 htb rate 100kbps ceil 200kbps quantum 8',
      'tc class add dev tap0 parent 1:1 classid 1:2 htb rate 100kbps ceil 200kbps burst 30kb quantum 8',
      'tc qdisc add dev tap0 parent 1:2 handle 2: sfq perturb 10',
      'tc qdisc add dev tap0 clsact',
      'tc filter add dev tap0 ingress protocol all u32 match u32 0 0 police rate 50kbps burst 50kb mtu 64kb drop flowid :1',
    ]);
  });

  it('of a macvtap are the other way round', async () => {
    const { commands, told } = machine({});
    await limit(commands, both, { device: 'mt0', swapped: true });
    expect(told[1]).toContain('rate 50kbps');
    expect(told.at(-1)).toContain('police rate 100kbps burst 30kb');
  });

  it('are changed where they stand, and come back if that fails', async () => {
    const after = port({ bandwidth: { inbound: { average: 300 }, outbound: { average: 60 } } });
    const { commands, told } = machine({}, (line) => line.includes('police rate 60kbps'));
    await expect(relimit(commands, both, after, { device: 'tap0', swapped: false })).rejects.toThrow('refused');
    expect(told).toEqual([
      'tc class change dev tap0 parent 1: classid 1:1 htb rate 300kbps ceil 300kbps quantum 25',
      'tc class change dev tap0 parent 1:1 classid 1:2 htb rate 300kbps ceil 300kbps quantum 25',
      'tc qdisc change dev tap0 parent 1:2 handle 2: sfq perturb 10',
      'tc filter replace dev tap0 ingress protocol all pref 49152 handle 800::800 u32 match u32 0 0 police rate 50kbps burst 50kb mtu 64kb drop flowid :1',
      'tc class change dev tap0 parent 1: classid 1:1 htb rate 100kbps ceil 200kbps quantum 8',
      'tc class change dev tap0 parent 1:1 classid 1:2 htb rate 100kbps ceil 200kbps burst 30kb quantum 8',
      'tc qdisc change dev tap0 parent 1:2 handle 2: sfq perturb 10',
    ]);
  });
});

describe('what the tools tell', () => {
  it('of promises', () => {
    expect([...parseFloors(`class htb 1:1 root rate 24Mbit ceil 24Mbit burst 1599b cburst 1599b
class htb 1:2 parent 1:1 leaf 2: prio 0 rate 8Mbit ceil 24Mbit burst 1600b cburst 1599b
class htb 1:3 parent 1:1 leaf 3: prio 0 rate 16Mbit ceil 24Mbit burst 1600b cburst 1599b
class htb 1:1a parent 1:1 leaf 1a: prio 0 rate 8008bit ceil 24Mbit burst 1600b cburst 1599b
class htb 1:7ff parent 1:1 leaf 7ff: prio 0 rate 1Gbit ceil 24Mbit burst 1600b cburst 1599b
`)]).toEqual([[3, 2000], [26, 1], [2047, 125000]]);
    expect([...parseFloors('')]).toEqual([]);
  });

  it('of a device', () => {
    expect(parseDevice('[{"ifname":"v0","ifindex":7,"mtu":1400,"master":"br0","ifalias":"vnet:x","linkinfo":{"info_kind":"veth"}}]')).toEqual(
      { name: 'v0', index: 7, mtu: 1400, kind: 'veth', facts: {}, master: 'br0', mark: 'vnet:x' });
    expect(parseDevice('[{"ifname":"v0","ifindex":7,"mtu":1400}]')).toEqual({ name: 'v0', index: 7, mtu: 1400, kind: '', facts: {} });
    expect(parseDevice('[]')).toBeUndefined();
    expect(parseDevice('')).toBeUndefined();
  });
});
