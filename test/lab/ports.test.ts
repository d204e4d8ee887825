/** Guests on bridges: what a port makes of the host, what it takes away, and what is left when a step fails. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Host, NetworkPlan, PortPlan } from '../../server/driver/host.js';
import { CommandError, openCommands, type Commands, type Tool } from '../../server/host/command.js';
import { openPorts } from '../../server/host/port.js';
import { silentLog } from '../../server/log.js';
import { ErrorCode } from '../../shared/errors.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { openLab, runProgram, type Lab } from './lab.js';
import { plugGuest, portPlan, portTraces, shownLinks } from './port-plan.js';

const network = planFrom(`<network><name>plugged</name><uuid>4b6bd1a5-3c5e-4f0e-9f13-0000000000d1</uuid>
  <bridge name='lab-plugged' stp='off' delay='0'/><mac address='52:54:00:d1:00:01'/><dns enable='no'/><ip address='10.91.0.1' prefix='24'/>
  <bandwidth><inbound average='20000'/></bandwidth></network>`);
const lan: NetworkPlan = {
  ...planFrom("<network><name>lan</name><uuid>4b6bd1a5-3c5e-4f0e-9f13-0000000000d2</uuid><forward mode='bridge'/><bridge name='lan'/></network>"), bridge: '',
};
const onBridge = { plug: { type: 'bridge', bridge: 'lab-plugged', managed: true } } as const;
const onLan = { plug: { type: 'bridge', bridge: 'lan', managed: false } } as const;
const tap = (rest: Partial<PortPlan> = {}, queues = 1) => portPlan(1, {
  ...onBridge, attachment: { type: 'tap', device: 'lab-tap', owner: 'nobody', group: 'nogroup', queues }, ...rest,
});

let lab: Lab;
let host: Host;

beforeAll(async () => {
  lab = await openLab();
  host = await openLabHost(lab);
  await runProgram('ip', ['-batch', '-'], 'link add lan type bridge\nlink set lan up\n');
}, 400_000);

afterEach(() => host.tearDown(network, { forget: true }));

afterAll(async () => {
  await runProgram('ip', ['link', 'delete', 'lan']);
  await host?.close();
  await lab?.close();
});

const link = async (name: string) => (await shownLinks()).find(({ ifname }) => ifname === name);

describe('a tap', { timeout: 60_000 }, () => {
  it('is as it was asked for, on the bridge, and gone when the port is', async () => {
    await host.bringUp(network);
    const before = await portTraces();
    await host.attach(network, tap({ isolated: true }, 4));
    expect(await link('lab-tap')).toMatchObject({
      master: 'lab-plugged', mtu: 1500, address: 'fe:54:00:70:00:01', ifalias: `vnet:${tap().uuid}`, flags: expect.arrayContaining(['UP']),
      linkinfo: { info_kind: 'tun', info_data: { type: 'tap', persist: true, multi_queue: true, user: 'nobody', group: 'nogroup' }, info_slave_data: { isolated: true } },
    });
    expect((await link('lab-plugged'))?.address).toBe('52:54:00:d1:00:01');
    expect((await readFile('/proc/sys/net/ipv6/conf/lab-tap/disable_ipv6', 'utf8')).trim()).toBe('1');
    await host.detach(network, tap());
    expect(await portTraces()).toEqual(before);
    await host.detach(network, tap());
  });

  it('can be opened by its owner alone, and what is written to it is on the network', async () => {
    await host.bringUp(network);
    await host.attach(network, tap());
    const neighbour = await plugGuest(host, network, portPlan(2, onBridge));
    const write = `
import fcntl, os, struct
tap = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(tap, 0x400454ca, struct.pack('16sH', b'lab-tap', 0x1002))
for _ in range(200): os.write(tap, b'\\xff' * 6 + bytes.fromhex('525400700001') + b'\\x88\\xb5' + b'hello from a tap'.ljust(46))`;
    // /dev/net/tun itself is root's on some machines: the file is opened as root, the device as its owner.
    const as = (account: string) => `import os\nreal = os.open\ndef opened(*a):\n  f = real(*a)\n  os.setgroups([]); os.setgid(65534 if '${account}' == 'nobody' else 1); os.setuid(65534 if '${account}' == 'nobody' else 1)\n  return f\nos.open = opened\n${write}`;
    await expect(runProgram('python3', ['-c', as('daemon')])).rejects.toThrow(/not permitted/);
    const capture = spawn('nsenter', ['--net=/run/netns/guest-2', 'tcpdump', '-i', 'eth0', '-c', '1', '-A', '-l', 'ether', 'proto', '0x88b5'], { stdio: ['ignore', 'pipe', 'ignore'] });
    let heard = '';
    capture.stdout.on('data', (data) => { heard += String(data); });
    await until('the frame', async () => {
      await runProgram('python3', ['-c', as('nobody')]);
      return heard.includes('hello from a tap');
    });
    capture.kill();
    await neighbour.close();
    await host.detach(network, tap());
  });

  it('that somebody else made is left alone', async () => {
    await host.bringUp(network);
    await runProgram('ip', ['tuntap', 'add', 'dev', 'lab-tap', 'mode', 'tap']);
    const before = await portTraces();
    await expect(host.attach(network, tap())).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringContaining('File exists') });
    await host.detach(network, tap());
    expect(await portTraces()).toEqual(before);
    await runProgram('ip', ['link', 'delete', 'lab-tap']);
  });

  it('is plugged in again when it is there', async () => {
    const limits = { bandwidth: { inbound: { average: 1000 }, outbound: { average: 1000 } } };
    await host.bringUp(network);
    await host.attach(network, tap(limits));
    const [index, traces] = [(await link('lab-tap'))?.ifindex, await portTraces()];
    await host.tearDown(network, { forget: false });
    await host.bringUp(network);
    expect((await link('lab-tap'))?.master).toBeUndefined();
    await host.attach(network, tap(limits));
    expect(await link('lab-tap')).toMatchObject({ ifindex: index, master: 'lab-plugged' });
    expect(await portTraces()).toEqual(traces);
    await host.detach(network, tap(limits));
  });

  it('stays, off the bridge, if its guest is to keep it', async () => {
    const shared = tap(onLan);
    await host.attach(lan, shared);
    const index = (await link('lab-tap'))?.ifindex;
    await host.detach(lan, shared, { keepDevice: true });
    expect((await link('lab-tap'))?.master).toBeUndefined();
    await host.attach(lan, shared);
    expect(await link('lab-tap')).toMatchObject({ ifindex: index, master: 'lan' });
    await host.detach(lan, shared);
    expect(await link('lab-tap')).toBeUndefined();
  });

  it('of an account that is not there, or of a name or MAC address that cannot be, is refused', async () => {
    await host.bringUp(network);
    const before = await portTraces();
    const bad = (attachment: object, rest: object = {}) => host.attach(network, tap({ attachment: { type: 'tap', device: 'lab-tap', owner: '', group: '', queues: 1, ...attachment }, ...rest }));
    await expect(bad({ owner: 'nosuchuser' })).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringContaining('nosuchuser') });
    await expect(bad({ owner: 'root\nlink delete lan' })).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR });
    await expect(bad({ device: 'a name' })).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR });
    await expect(bad({}, { mac: 'fe:54:00:00:00:01' })).rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED });
    await expect(bad({}, { vlan: { tags: [{ id: 5 }] }, ...onLan })).rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED, message: expect.stringMatching(/VLAN/) });
    await expect(bad({}, { plug: { type: 'bridge', bridge: 'up0', managed: false } })).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringContaining("'up0' is no bridge") });
    await expect(bad({}, { virtualPort: { type: '802.1Qbh' } })).rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED });
    expect(await portTraces()).toEqual(before);
  });
});

describe('a guest in a network namespace', { timeout: 60_000 }, () => {
  it('reaches the host and its neighbours, whichever bridge it is on', async () => {
    await host.bringUp(network);
    const before = await portTraces();
    const [one, two] = [await plugGuest(host, network, portPlan(3, onBridge)), await plugGuest(host, network, portPlan(4, onBridge))];
    await one.setAddress('10.91.0.3/24');
    await two.setAddress('10.91.0.4/24');
    expect(await one.exec('ip', 'link', 'show', 'eth0')).toMatch(/UP.*52:54:00:70:00:03/s);
    expect(await one.reach('10.91.0.1')).toMatchObject({ reached: true, seen: { address: '10.91.0.3' } });
    expect(await one.reach('10.91.0.4')).toMatchObject({ reached: true });
    expect(await link('v-guest-3')).toMatchObject({ master: 'lab-plugged', address: 'fe:54:00:70:00:03', ifalias: `vnet:${one.port.uuid}` });
    await Promise.all([one.close(), two.close()]);
    expect(await portTraces()).toEqual(before);
  });

  it('that is isolated reaches the host, and no other isolated one', async () => {
    await host.bringUp(network);
    const [one, two] = [await plugGuest(host, network, portPlan(3, { ...onBridge, isolated: true })), await plugGuest(host, network, portPlan(4, { ...onBridge, isolated: true }))];
    await one.setAddress('10.91.0.3/24');
    await two.setAddress('10.91.0.4/24');
    expect(await one.reach('10.91.0.1')).toMatchObject({ reached: true });
    expect(await one.reach('10.91.0.4', { timeoutMs: 1000 })).toMatchObject({ reached: false });
    await Promise.all([one.close(), two.close()]);
  });

  it('is found by the path of its namespace, and refused if there is none', async () => {
    await host.bringUp(network);
    const sleeper = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
    const inside = async () => (await readFile(`/proc/${sleeper.pid}/cmdline`, 'utf8')).startsWith('sleep');
    await until('the namespace', inside);
    const port = portPlan(5, { ...onBridge, attachment: { type: 'veth', device: 'v-path', netns: `/proc/${sleeper.pid}/ns/net`, guestDevice: 'net0' } });
    await host.attach(network, port);
    expect(await runProgram('nsenter', [`--net=/proc/${sleeper.pid}/ns/net`, 'ip', '-br', 'link'])).toMatch(/net0.*52:54:00:70:00:05/);
    await host.detach(network, port);
    const before = await portTraces();
    for (const [netns, code] of [['nosuch', ErrorCode.SYSTEM_ERROR], ['/proc/0/ns/net', ErrorCode.SYSTEM_ERROR], ['../../etc', ErrorCode.CONFIG_UNSUPPORTED], ['/a b', ErrorCode.CONFIG_UNSUPPORTED]] as const) {
      await expect(host.attach(network, { ...port, attachment: { type: 'veth', device: 'v-path', netns, guestDevice: 'net0' } }), netns).rejects.toMatchObject({ code });
    }
    const taken = { ...port, attachment: { type: 'veth', device: 'v-path', netns: `/proc/${sleeper.pid}/ns/net`, guestDevice: 'lo' } } as const;
    await expect(host.attach(network, taken)).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR });
    expect(await portTraces()).toEqual(before);
    sleeper.kill('SIGKILL');
  });
});

describe("somebody else's device", { timeout: 60_000 }, () => {
  it('is plugged in and taken off, and stays', async () => {
    await host.bringUp(network);
    await runProgram('ip', ['-batch', '-'], 'link add vif1.0 type veth peer name far\nlink set far up\n');
    const before = await portTraces();
    const port = portPlan(6, { ...onBridge, mtu: 1400, attachment: { type: 'existing', device: 'vif1.0' } });
    await host.attach(network, port);
    expect(await link('vif1.0')).toMatchObject({ master: 'lab-plugged', mtu: 1400, flags: expect.arrayContaining(['UP']) });
    expect((await link('lab-plugged'))?.mtu).toBe(1500);
    await host.attach(network, port);
    await expect(host.attach(lan, { ...port, ...onLan })).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringContaining("in 'lab-plugged' already") });
    await host.detach(network, port);
    await runProgram('ip', ['link', 'set', 'vif1.0', 'mtu', '1500']);
    expect(await portTraces()).toEqual(before);
    await runProgram('ip', ['link', 'delete', 'vif1.0']);
    await expect(host.attach(network, port)).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringContaining("no interface 'vif1.0'") });
  });

  it('keeps the queues that others gave it', async () => {
    await host.bringUp(network);
    await runProgram('ip', ['link', 'add', 'vif1.0', 'type', 'veth', 'peer', 'name', 'far']);
    await runProgram('tc', ['qdisc', 'add', 'dev', 'vif1.0', 'clsact']);
    const before = await portTraces();
    const port = portPlan(6, { ...onBridge, bandwidth: { inbound: { average: 1000 } }, attachment: { type: 'existing', device: 'vif1.0' } });
    await host.attach(network, port);
    expect(await runProgram('tc', ['qdisc', 'show', 'dev', 'vif1.0'])).toMatch(/htb[\s\S]*clsact|clsact[\s\S]*htb/);
    await host.detach(network, port);
    expect(await portTraces()).toEqual(before);
    await runProgram('ip', ['link', 'delete', 'vif1.0']);
  });
});

describe("the bridge's MTU", { timeout: 60_000 }, () => {
  it.each(['lab-plugged', 'lan'])('of %s stays what it was, whatever a port has', async (bridge) => {
    await host.bringUp(network);
    const where = bridge === 'lan' ? onLan : onBridge;
    for (const mtu of [1280, 9000]) {
      await host.attach(bridge === 'lan' ? lan : network, tap({ ...where, mtu }));
      expect([(await link('lab-tap'))?.mtu, (await link(bridge))?.mtu], String(mtu)).toEqual([mtu, 1500]);
      await host.detach(bridge === 'lan' ? lan : network, tap({ ...where, mtu }));
    }
  });
});

/** A door that fails at one call, before or after the program has done its work, or at a line of a batch. */
function failingAt(call: number, when: 'before' | 'after' | number): Commands & { calls: { tool: Tool; lines: number }[] } {
  const real = openCommands();
  const calls: { tool: Tool; lines: number }[] = [];
  const pass = async <T>(tool: Tool, input: string, step: (input?: string) => Promise<T>): Promise<T> => {
    const lines = input.split('\n').filter((line) => line !== '');
    if (calls.push({ tool, lines: lines.length }) !== call) return step();
    if (when === 'before') throw new CommandError(tool, 'made to fail');
    if (when === 'after') {
      await step().catch(() => undefined);
      throw new CommandError(tool, 'made to fail');
    }
    await step(lines.slice(0, when).map((line) => `${line}\n`).join(''));
    throw new CommandError(tool, `made to fail\nCommand failed -:${when + 1}`);
  };
  return {
    calls,
    require: (tool) => real.require(tool),
    run: (tool, argv, options = {}) => pass(tool, options.input ?? '', (input) => real.run(tool, argv, input === undefined ? options : { ...options, input })),
    read: (tool, argv) => pass(tool, '', () => real.read(tool, argv)),
    follow: (tool, argv, onLine) => real.follow(tool, argv, onLine),
  };
}

describe('a port that cannot be plugged in', () => {
  const limits = { bandwidth: { classId: 3, inbound: { average: 1000, floor: 500 }, outbound: { average: 1000 } } };
  const cases: [string, PortPlan][] = [
    ['a tap', tap(limits)],
    ['a pair', portPlan(7, { ...onBridge, attachment: { type: 'veth', device: 'v-fails', netns: 'fails', guestDevice: 'eth0' } })],
    ["somebody else's device", portPlan(8, { ...onBridge, attachment: { type: 'existing', device: 'vif2.0' } })],
  ];

  it.each(cases)('leaves nothing of %s, whichever step fails, before its work, after it or half-way', async (_, port) => {
    await host.bringUp(network);
    await runProgram('ip', ['-batch', '-'], 'netns add fails\nlink add vif2.0 type veth peer name far\n');
    const before = await portTraces();
    const counting = failingAt(0, 'before');
    const counted = openPorts(counting, silentLog, '/sys');
    await counted.attach(network, port);
    const calls = [...counting.calls];
    expect(await portTraces()).not.toEqual(before);
    await counted.detach(network, port);
    expect(await portTraces()).toEqual(before);
    let failures = 0;
    for (const [index, { lines }] of calls.entries()) {
      for (const when of ['before', 'after', ...Array.from({ length: Math.max(lines - 1, 0) }, (__, line) => line + 1)] as const) {
        const failing = openPorts(failingAt(index + 1, when), silentLog, '/sys');
        // A line that has another that does in its place does not fail the whole.
        const failed = await failing.attach(network, port).then(() => false, (error: unknown) => {
          expect(String(error), `call ${index}, ${when}`).toContain('made to fail');
          return true;
        });
        if (failed) failures += 1;
        else await host.detach(network, port);
        expect(await portTraces(), `call ${index}, ${when}`).toEqual(before);
      }
    }
    expect(failures).toBeGreaterThanOrEqual(calls.length);
    await runProgram('ip', ['link', 'delete', 'vif2.0']);
    await runProgram('ip', ['netns', 'delete', 'fails']);
  }, 400_000);

  it('keeps the old bandwidth if the new one cannot be set', async () => {
    await host.bringUp(network);
    await host.attach(network, tap(limits));
    const before = await portTraces();
    const wanted = tap({ bandwidth: { classId: 3, inbound: { average: 2000, peak: 4000, burst: 100, floor: 700 } } });
    const counting = failingAt(0, 'before');
    const counted = openPorts(counting, silentLog, '/sys');
    await counted.reshape(network, tap(limits), wanted);
    const calls = [...counting.calls];
    expect(await portTraces()).not.toEqual(before);
    await counted.reshape(network, wanted, tap(limits));
    expect(await portTraces()).toEqual(before);
    for (const [index, { lines }] of calls.entries()) {
      for (const when of ['before', 'after', ...Array.from({ length: Math.max(lines - 1, 0) }, (__, line) => line + 1)] as const) {
        const failing = openPorts(failingAt(index + 1, when), silentLog, '/sys');
        const failed = await failing.reshape(network, tap(limits), wanted).then(() => false, () => true);
        if (!failed) await host.reshape(network, wanted, tap(limits));
        expect(await portTraces(), `call ${index}, ${when}`).toEqual(before);
      }
    }
    await host.detach(network, tap(limits));
  }, 400_000);
});
