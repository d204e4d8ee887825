/**
 * Guests on a bridge of Open vSwitch: their VLANs keep them apart, and its
 * database says what controllers look for. Its data path in user space needs
 * no kernel module. Skipped where openvswitch-switch is not installed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host, NetworkPlan, PortPlan } from '../../server/driver/host.js';
import { ErrorCode } from '../../shared/errors.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { openLab, runProgram, type Lab } from './lab.js';
import { plugGuest, portPlan, portTraces, type PluggedGuest } from './port-plan.js';

const schema = '/usr/share/openvswitch/vswitch.ovsschema';
const installed = ['ovsdb-server', 'ovs-vswitchd', 'ovs-vsctl'].every((program) => spawnSync(program, ['--version']).status === 0);

const network = (bridge = 'ovs-lab', inner = "<virtualport type='openvswitch'/>"): NetworkPlan => ({
  ...planFrom(`<network><name>switched</name><uuid>4b6bd1a5-3c5e-4f0e-9f13-0000000000f1</uuid><forward mode='bridge'/><bridge name='${bridge}'/>${inner}</network>`), bridge: '',
});
const onSwitch = { plug: { type: 'bridge', bridge: 'ovs-lab', managed: false }, virtualPort: { type: 'openvswitch' } } as const;
const vlan = (id: number) => ({ vlan: { tags: [{ id }] } });

/** Sends frames in VLANs, or in none (0), as no socket of a kernel without VLAN devices would; the last argument is what they say. */
const send = `
import socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(('eth0', 0))
for vlan in sys.argv[1:-1]:
    tag = b'' if vlan == '0' else b'\\x81\\x00' + int(vlan).to_bytes(2, 'big')
    raw.send(b'\\xff' * 6 + raw.getsockname()[4] + tag + b'\\x88\\xb5' + f'{sys.argv[-1]} {vlan}'.encode().ljust(46, b'\\0'))`;

/** Prints the frames that arrive, each with its VLAN: the kernel takes the tag off and tells it beside (PACKET_AUXDATA). */
const listen = `
import socket, struct, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
raw.setsockopt(263, 8, 1)
raw.bind(('eth0', 3))
print('ready', flush=True)
while True:
    frame, extra, _, _ = raw.recvmsg(2000, 256)
    vlan, rest = 0, frame[12:]
    if rest[:2] == b'\\x81\\x00': vlan, rest = int.from_bytes(rest[2:4], 'big') & 0xfff, rest[4:]
    for level, kind, data in extra:
        status, _, _, _, _, tci = struct.unpack('IIIHHH', data[:18])
        if status & 0x10: vlan = tci & 0xfff
    if rest[:2] == b'\\x88\\xb5': print(f"{vlan} {rest[2:].rstrip(bytes(1)).decode()}", flush=True)`;

let lab: Lab;
let host: Host;

describe.skipIf(!installed)('guests of Open vSwitch', { timeout: 90_000 }, () => {
  beforeAll(async () => {
    lab = await openLab();
    host = await openLabHost(lab);
    const folder = `${lab.folder}/ovs`;
    await mkdir(folder);
    await mkdir('/run/openvswitch', { recursive: true });
    await runProgram('ovsdb-tool', ['create', `${folder}/conf.db`, schema]);
    const logged = (name: string) => [`--log-file=${folder}/${name}.log`, '-vconsole:off', `--pidfile=${folder}/${name}.pid`, '--detach'];
    await runProgram('ovsdb-server', [`${folder}/conf.db`, '--remote=punix:/run/openvswitch/db.sock', ...logged('ovsdb')]);
    await runProgram('ovs-vsctl', ['--no-wait', 'init']);
    await runProgram('ovs-vswitchd', ['unix:/run/openvswitch/db.sock', ...logged('vswitchd')]);
    await runProgram('ovs-vsctl', ['--timeout=20', 'add-br', 'ovs-lab', '--', 'set', 'bridge', 'ovs-lab', 'datapath_type=netdev']);
  }, 400_000);

  afterAll(async () => {
    await host?.close();
    await runProgram('ovs-vsctl', ['--timeout=20', 'del-br', 'ovs-lab']);
    for (const name of ['vswitchd', 'ovsdb']) {
      const pid = Number(await readFile(`${lab.folder}/ovs/${name}.pid`, 'utf8'));
      process.kill(pid, 'SIGTERM');
      await until(`${name} ended`, async () => readFile(`/proc/${pid}/stat`, 'utf8').then((text) => / Z /.test(text), () => true));
    }
    await runProgram('ip', ['link', 'delete', 'ovs-netdev']).catch(() => undefined);
    await lab?.close();
  });

  const guests = (...ports: PortPlan[]) => Promise.all(ports.map((port) => plugGuest(host, network(), port)));
  const closed = (...ones: PluggedGuest[]) => Promise.all(ones.map((one) => one.close()));
  const get = async (table: string, name: string, column: string) => (await runProgram('ovs-vsctl', ['get', table, name, column])).trim();

  /** Whether somebody answers a ping: over this data path the kernel sends TCP without checksums. */
  const answers = (guest: PluggedGuest, address: string) => guest.exec('ping', '-c', '1', '-W', '2', address).then(() => true, () => false);

  /** What a guest hears of frames that another sends in some VLANs, each frame with the VLAN that it arrives in. */
  async function heard(from: PluggedGuest, at: PluggedGuest, vlans: number[], ends: string): Promise<string[]> {
    const listener = spawn('nsenter', [`--net=/run/netns/${at.name}`, 'python3', '-c', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines: string[] = [];
    createInterface({ input: listener.stdout }).on('line', (line) => lines.push(line));
    await until('the listener', async () => lines.includes('ready'));
    // Once the last is heard, everything that was sent before it has been.
    await until(`the last of the frames, ${ends}`, async () => {
      await from.exec('python3', '-c', send, ...vlans.map(String), 'in');
      return lines.some((line) => line.endsWith(ends));
    }, 20_000);
    listener.kill();
    return [...new Set(lines.filter((line) => line !== 'ready'))].sort();
  }

  it('are kept apart by their tags', async () => {
    await host.bringUp(network());
    const before = await portTraces();
    const [one, same, other] = await guests(portPlan(1, { ...onSwitch, ...vlan(5) }), portPlan(2, { ...onSwitch, ...vlan(5) }), portPlan(3, { ...onSwitch, ...vlan(6) }));
    await Promise.all([one!, same!, other!].map((guest, index) => guest.setAddress(`10.93.0.${index + 1}/24`)));
    await until('the neighbour', () => answers(one!, '10.93.0.2'));
    expect(await answers(one!, '10.93.0.3')).toBe(false);
    await closed(one!, same!, other!);
    expect(await portTraces()).toEqual(before);
    expect(await runProgram('ovs-vsctl', ['list-ports', 'ovs-lab'])).toBe('');
  });

  it('on a trunk hear the VLANs it carries, tagged, and no others', async () => {
    const [trunk, five, six, nine] = await guests(
      portPlan(1, { ...onSwitch, vlan: { trunk: true, tags: [{ id: 5 }, { id: 6 }, { id: 7, nativeMode: 'untagged' }] } }),
      portPlan(2, { ...onSwitch, ...vlan(5) }), portPlan(3, { ...onSwitch, ...vlan(7) }), portPlan(4, { ...onSwitch, ...vlan(9) }),
    );
    // The native one arrives without its tag.
    expect(await heard(five!, trunk!, [0], 'in 0')).toEqual(['5 in 0']);
    expect(await heard(six!, trunk!, [0], 'in 0')).toEqual(['0 in 0']);
    expect(await heard(trunk!, five!, [9, 6, 0, 5], 'in 5')).toEqual(['0 in 5']);
    expect(await heard(trunk!, six!, [5, 9, 6, 0], 'in 0')).toEqual(['0 in 0']);
    // Nine hears nothing of a trunk that does not carry it: a frame of its own VLAN comes after all of them.
    const nines = await plugGuest(host, network(), portPlan(5, { ...onSwitch, ...vlan(9) }));
    const both = heard(nines, nine!, [0], 'in 0');
    await trunk!.exec('python3', '-c', send, '9', '5', '0', 'of the trunk');
    expect(await both).toEqual(['0 in 0']);
    await closed(trunk!, five!, six!, nine!, nines);
  });

  it('with a native VLAN that is tagged hear it with its tag', async () => {
    const [trunk, seven] = await guests(
      portPlan(1, { ...onSwitch, vlan: { trunk: true, tags: [{ id: 5 }, { id: 7, nativeMode: 'tagged' }] } }), portPlan(2, { ...onSwitch, ...vlan(7) }),
    );
    expect(await heard(seven!, trunk!, [0], 'in 0')).toEqual(['7 in 0']);
    expect(await heard(trunk!, seven!, [0], 'in 0')).toEqual(['0 in 0']);
    await closed(trunk!, seven!);
  });

  it('that are isolated do not reach each other', async () => {
    const [one, two, open] = await guests(portPlan(1, { ...onSwitch, isolated: true }), portPlan(2, { ...onSwitch, isolated: true }), portPlan(3, onSwitch));
    await Promise.all([one!, two!, open!].map((guest, index) => guest.setAddress(`10.93.1.${index + 1}/24`)));
    await until('the neighbour', () => answers(one!, '10.93.1.3'));
    expect(await answers(one!, '10.93.1.2')).toBe(false);
    await closed(one!, two!, open!);
  });

  it('are in its database as libvirt puts them there, and can be changed', async () => {
    const ownerUuid = '11111111-2222-4333-8444-555555555555';
    const interfaceId = '99999999-8888-4777-8666-555555555555';
    const port: PortPlan = portPlan(1, {
      ...onSwitch, ownerUuid, ...vlan(5), virtualPort: { type: 'openvswitch', parameters: { interfaceId, profileId: 'gold " plus' } },
      attachment: { type: 'tap', device: 'lab-tap', owner: '', group: '', queues: 1 },
    });
    await host.attach(network(), port);
    expect(await get('Interface', 'lab-tap', 'external_ids')).toBe(
      `{attached-mac="${port.mac}", iface-id="${interfaceId}", iface-status=active, port-profile="gold \\" plus", vm-id="${ownerUuid}"}`);
    expect([await get('Port', 'lab-tap', 'tag'), await get('Port', 'lab-tap', 'external_ids')]).toEqual(['5', `{vnet-port="${port.uuid}"}`]);
    await host.attach(network(), { ...port, vlan: { tags: [{ id: 6 }, { id: 8 }] } });
    expect([await get('Port', 'lab-tap', 'tag'), await get('Port', 'lab-tap', 'trunks')]).toEqual(['[]', '[6, 8]']);
    await host.detach(network(), port);
    expect(await runProgram('ovs-vsctl', ['list-ports', 'ovs-lab'])).toBe('');
  });

  it("that are somebody else's stay", async () => {
    await runProgram('ip', ['link', 'add', 'vif3.0', 'type', 'veth', 'peer', 'name', 'far3']);
    const port = portPlan(1, { ...onSwitch, attachment: { type: 'existing', device: 'vif3.0' } });
    await runProgram('ovs-vsctl', ['add-port', 'ovs-lab', 'vif3.0']);
    await host.detach(network(), port);
    expect(await runProgram('ovs-vsctl', ['list-ports', 'ovs-lab'])).toBe('vif3.0\n');
    await host.attach(network(), port);
    await host.detach(network(), port);
    expect(await runProgram('ovs-vsctl', ['list-ports', 'ovs-lab'])).toBe('');
    expect(await runProgram('ip', ['-br', 'link', 'show', 'vif3.0'])).toContain('vif3.0');
    await runProgram('ip', ['link', 'delete', 'vif3.0']);
  });

  it('are refused where there is no such bridge, and bandwidth, which it holds itself', async () => {
    const before = await portTraces();
    await expect(host.bringUp(network('nolan'))).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringContaining("Open vSwitch has no bridge 'nolan'") });
    const tap = { attachment: { type: 'tap', device: 'lab-tap', owner: '', group: '', queues: 1 } } as const;
    await expect(host.attach(network(), portPlan(1, { ...onSwitch, ...tap, bandwidth: { inbound: { average: 100 } } }))).rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED });
    await expect(host.attach(network(), portPlan(1, { ...onSwitch, ...tap, plug: { type: 'bridge', bridge: 'nolan', managed: false } }))).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR });
    await expect(host.attach(network(), portPlan(1, { plug: onSwitch.plug, ...tap }))).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, hint: expect.stringContaining('openvswitch') });
    expect(await portTraces()).toEqual(before);
  });
});
