/** Guests on the LAN itself, over macvtap and macvlan: who reaches whom in which mode. */
import { stat } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Host, NetworkPlan, Plug, PortPlan } from '../../server/driver/host.js';
import { CommandError, openCommands, type Commands } from '../../server/host/command.js';
import { openPorts } from '../../server/host/port.js';
import { silentLog } from '../../server/log.js';
import { ErrorCode } from '../../shared/errors.js';
import { parseNetwork } from '../../shared/definition/index.js';
import { openLabHost } from './embedded-host.js';
import { openLab, runProgram, type Lab } from './lab.js';
import { plugGuest, portPlan, portTraces, shownLinks } from './port-plan.js';

type Mode = Extract<Plug, { type: 'direct' }>['mode'];

const network = (mode: Mode, device = 'nic0'): NetworkPlan => {
  const { definition } = parseNetwork(`<network><name>lan</name><uuid>4b6bd1a5-3c5e-4f0e-9f13-0000000000e1</uuid><forward mode='${mode}'><interface dev='${device}'/></forward></network>`);
  return { uuid: definition.uuid!, name: 'lan', bridge: '', definition };
};
const over = (mode: Mode, device = 'nic0') => ({ plug: { type: 'direct', device, mode } }) as const;
const tap = (mode: Mode, rest: Partial<PortPlan> = {}) => portPlan(1, {
  ...over(mode), attachment: { type: 'tap', device: 'lab-macvtap', owner: 'nobody', group: 'nogroup', queues: 2 }, ...rest,
});

let lab: Lab;
let host: Host;

/**
 * The LAN: a switch in `elsewhere`, which has an address, and a card of the
 * host's with its cable in the switch. A sysfs that shows the lab's interfaces.
 */
beforeAll(async () => {
  lab = await openLab();
  await runProgram('mount', ['-t', 'sysfs', 'sysfs', '/sys']);
  host = await openLabHost(lab);
  await runProgram('ip', ['-batch', '-'], 'link add nic0 type veth peer name socket0 netns elsewhere\nlink set nic0 up\n');
  await runProgram('ip', ['-n', 'elsewhere', '-batch', '-'], `link add switch type bridge
link set switch up
link set socket0 master switch
link set socket0 up
address add 10.92.0.254/24 dev switch
`);
}, 400_000);

afterEach(() => hairpin(false));

afterAll(async () => {
  await host?.close();
  await runProgram('ip', ['link', 'delete', 'nic0']);
  await runProgram('umount', ['/sys']);
  await lab?.close();
});

/** Whether the switch sends back what came from the same cable. */
async function hairpin(on: boolean): Promise<void> {
  await runProgram('ip', ['-n', 'elsewhere', 'link', 'set', 'socket0', 'type', 'bridge_slave', 'hairpin', on ? 'on' : 'off']);
}

describe('guests on the LAN', { timeout: 60_000 }, () => {
  it.each([
    { mode: 'bridge', neighbours: true, throughSwitch: true }, { mode: 'private', neighbours: false, throughSwitch: false }, { mode: 'vepa', neighbours: false, throughSwitch: true },
  ] as const)('in mode $mode reach it, and each other: $neighbours, through a switch that sends back: $throughSwitch', async ({ mode, neighbours, throughSwitch }) => {
    await host.bringUp(network(mode));
    const before = await portTraces();
    const [one, two] = [await plugGuest(host, network(mode), portPlan(2, over(mode))), await plugGuest(host, network(mode), portPlan(3, over(mode)))];
    await one.setAddress('10.92.0.2/24');
    await two.setAddress('10.92.0.3/24');
    expect(await one.exec('ip', 'link', 'show', 'eth0')).toMatch(/UP.*52:54:00:70:00:02/s);
    expect(await one.reach('10.92.0.254')).toMatchObject({ reached: true, seen: { address: '10.92.0.2' } });
    expect((await one.reach('10.92.0.3', { timeoutMs: 1500 })).reached).toBe(neighbours);
    await hairpin(true);
    expect((await one.reach('10.92.0.3', { timeoutMs: 4000 })).reached).toBe(throughSwitch);
    // Plugged in again, they are as they were.
    await host.attach(network(mode), one.port);
    expect(await one.reach('10.92.0.254')).toMatchObject({ reached: true });
    // Kept, it is down, and comes back as the same.
    await host.detach(network(mode), one.port, { keepDevice: true });
    expect((await one.reach('10.92.0.254', { timeoutMs: 1000 })).reached).toBe(false);
    await host.attach(network(mode), one.port);
    await one.exec('ip', 'link', 'show', 'eth0', 'up');
    expect(await one.reach('10.92.0.254')).toMatchObject({ reached: true });
    await Promise.all([one.close(), two.close()]);
    expect(await portTraces()).toEqual(before);
  });

  it('in mode passthrough have the card to themselves, with their own address, which it gets back', async () => {
    await host.bringUp(network('passthrough'));
    const mac = async () => (await shownLinks()).find(({ ifname }) => ifname === 'nic0')?.address;
    const before = [await mac(), await portTraces()];
    await runProgram('ip', ['link', 'set', 'nic0', 'down']);
    const one = await plugGuest(host, network('passthrough'), portPlan(4, over('passthrough')));
    await one.setAddress('10.92.0.4/24');
    expect(await mac()).toBe(one.port.mac);
    expect(await one.reach('10.92.0.254')).toMatchObject({ reached: true });
    await one.close();
    expect([await mac(), await portTraces()]).toEqual(before);
  });

  it('are refused what they cannot have', async () => {
    const before = await portTraces();
    await expect(host.bringUp(network('bridge', 'nic9'))).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringContaining("no interface 'nic9'") });
    const refused: [Partial<PortPlan>, string][] = [
      [{ vlan: { tags: [{ id: 5 }] } }, 'VLAN'], [{ trustGuestRxFilters: true }, 'trustGuestRxFilters'], [{ virtualPort: { type: '802.1Qbg' } }, '802.1Qbg'],
      [{ attachment: { type: 'existing', device: 'up1' } }, "'up1' cannot be on the LAN"],
      [{ bandwidth: { inbound: { average: 100 } }, attachment: { type: 'veth', device: 'v-x', netns: 'elsewhere', guestDevice: 'x0' } }, 'bandwidth'],
    ];
    for (const [rest, words] of refused) {
      await expect(host.attach(network('vepa'), tap('vepa', rest)), words).rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED, message: expect.stringContaining(words) });
    }
    await expect(host.attach(network('bridge'), tap('bridge', over('bridge', 'nic9')))).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR });
    expect(await portTraces()).toEqual(before);
  });
});

/** What QEMU does with a macvtap, in Python: it takes the file, and sends and hears frames. */
const guest = `
import fcntl, os, select, struct, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
real = os.open(sys.argv[1], os.O_RDWR)
mac = bytes.fromhex(sys.argv[2])
ask = b'\\xff' * 6 + mac + bytes.fromhex('08060001080006040001') + mac + bytes([10, 92, 0, 7]) + b'\\0' * 6 + bytes([10, 92, 0, 254])
fcntl.ioctl(real, 0x400454ca, struct.pack('16sH', b'', 0x1002))
for _ in range(20):
    os.write(real, ask.ljust(60, b'\\0'))
    if select.select([real], [], [], 0.5)[0]:
        heard = os.read(real, 2000)
        if heard[12:14] == b'\\x08\\x06' and heard[21] == 2:
            print('answer to', heard[:6].hex(':'))
            break
`;

describe('a macvtap', { timeout: 60_000 }, () => {
  it('is a file of its owner, through which a guest is on the LAN', async () => {
    const before = await portTraces();
    await host.attach(network('bridge'), tap('bridge'));
    const made = (await shownLinks()).find(({ ifname }) => ifname === 'lab-macvtap')!;
    expect(made).toMatchObject({ address: '52:54:00:70:00:01', ifalias: `vnet:${tap('bridge').uuid}`, flags: expect.arrayContaining(['UP', 'ALLMULTI']), linkinfo: { info_kind: 'macvtap', info_data: { mode: 'bridge' } } });
    const file = `/dev/tap${made.ifindex}`;
    expect(await stat(file).then(({ uid, gid, mode }) => [uid, gid, (mode & 0o777).toString(8)])).toEqual([65534, 65534, '660']);
    expect(await runProgram('python3', ['-c', guest, file, '525400700001'])).toBe('answer to 52:54:00:70:00:01\n');
    await host.attach(network('bridge'), tap('bridge'));
    await host.detach(network('bridge'), tap('bridge'));
    expect(await portTraces()).toEqual(before);
    await expect(stat(file)).rejects.toThrow('ENOENT');
  });

  it('leaves nothing if a step fails', async () => {
    const before = await portTraces();
    for (const words of [['link', 'add'], ['alias'], ['allmulticast'], ['htb'], ['clsact'], ['redirect']]) {
      const failing = openPorts(refusing(['police', ...words]), silentLog, '/sys');
      await expect(failing.attach(network('bridge'), tap('bridge', { bandwidth: { inbound: { average: 100 }, outbound: { average: 100 } } })), words.join()).rejects.toThrow(/made to fail/);
      expect(await portTraces(), words.join()).toEqual(before);
    }
    await expect(host.attach(network('bridge'), tap('bridge', { attachment: { type: 'tap', device: 'lab-macvtap', owner: 'nosuch', group: '', queues: 1 } }))).rejects.toMatchObject({
      code: ErrorCode.SYSTEM_ERROR, message: expect.stringContaining("no account 'nosuch'"),
    });
    expect(await portTraces()).toEqual(before);
  });
});

/** A door behind which the kernel refuses what has all of the last words, or the first, after it has done what comes before. */
function refusing([first = '', ...words]: string[]): Commands {
  const real = openCommands();
  const run: Commands['run'] = async (tool, argv, { input = '', ...options } = {}) => {
    const lines = input.split('\n');
    const refused = lines.findIndex((line) => line.includes(first) || words.every((word) => line.includes(word)));
    if (refused < 0) return real.run(tool, argv, { input, ...options });
    if (refused > 0) await real.run(tool, argv, { input: `${lines.slice(0, refused).join('\n')}\n`, ...options });
    throw new CommandError(tool, `made to fail\nCommand failed -:${refused + 1}`);
  };
  return { ...real, run };
}
