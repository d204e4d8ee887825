/** What tc is told of a network, and what it is told instead where the kernel lacks something. */
import { describe, expect, it } from 'vitest';
import type { NetworkPlan } from '../../../server/driver/host.js';
import type { Checksums } from '../../../server/host/checksums.js';
import { CommandError, type Commands, type Tool } from '../../../server/host/command.js';
import { openTraffic } from '../../../server/host/traffic.js';
import { parseNetwork } from '../../../shared/definition/index.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';

function plan(bandwidth: string, ips = ''): NetworkPlan {
  const { definition } = parseNetwork(`<network><name>n</name><uuid>4b6bd1a5-3c5e-4f0e-9f12-0123456789ab</uuid>
    <bridge name='virbr7'/>${bandwidth === '' ? '' : `<bandwidth>${bandwidth}</bandwidth>`}${ips}</network>`);
  return { uuid: definition.uuid!, name: 'n', bridge: 'virbr7', definition };
}

const both = plan("<inbound average='1000' peak='5000' burst='5120'/><outbound average='128' burst='256'/>");
const dhcp = "<ip address='10.7.0.1' prefix='24'><dhcp><range start='10.7.0.2' end='10.7.0.9'/></dhcp></ip>";

const hook = 'qdisc add dev virbr7 clsact\n';
const away = 'qdisc del dev virbr7 clsact\n';
const fill = 'filter add dev virbr7 egress protocol ip u32 match ip protocol 17 0xff match ip dport 68 0xffff action csum udp\n';
const inbound = `qdisc add dev virbr7 root handle 1: htb default 2
class add dev virbr7 parent 1: classid 1:1 htb rate 1000kbps ceil 5000kbps quantum 85
class add dev virbr7 parent 1:1 classid 1:2 htb rate 1000kbps ceil 5000kbps burst 5120kb quantum 85
qdisc add dev virbr7 parent 1:2 handle 2: sfq perturb 10
`;
const outbound = 'filter add dev virbr7 ingress protocol all u32 match u32 0 0 police rate 128kbps burst 256kb mtu 64kb drop flowid :1\n';
const device = 'link add name vnb0123456789ab txqueuelen 1000 type ifb\nlink set dev vnb0123456789ab alias vnet:4b6bd1a5-3c5e-4f0e-9f12-0123456789ab up\n';
const detour = `qdisc add dev vnb0123456789ab root handle 1: htb default 2
class add dev vnb0123456789ab parent 1: classid 1:1 htb rate 128kbps ceil 128kbps quantum 10
class add dev vnb0123456789ab parent 1:1 classid 1:2 htb rate 128kbps ceil 128kbps burst 256kb quantum 10
qdisc add dev vnb0123456789ab parent 1:2 handle 2: sfq perturb 10
filter add dev virbr7 ingress protocol all u32 match u32 0 0 flowid :1 action mirred egress redirect dev vnb0123456789ab
`;

/** A kernel that refuses lines with these words, as ip and tc tell of it, and what it was told. */
function kernelWithout(...words: string[]): Commands & { calls: [Tool, string][] } {
  const calls: [Tool, string][] = [];
  return {
    calls,
    require: async () => undefined,
    read: async () => '',
    follow: () => Promise.reject(new Error('nothing is followed')),
    run: async (tool, _argv, { input = '' } = {}) => {
      calls.push([tool, input]);
      const line = input.split('\n').findIndex((text) => words.some((word) => text.includes(word)));
      if (line >= 0) throw new CommandError(tool, `Error: Specified kind is unknown.\nCommand failed -:${line + 1}`);
    },
  };
}

/** What is left to iptables: the bridges. */
function recorder(): Checksums & { needed: string[] } {
  const needed: string[] = [];
  return { needed, need: async ({ bridge }) => void needed.push(bridge), adopt: () => undefined, release: () => undefined, tidy: async () => undefined, completes: () => false, beside: (firewall) => firewall };
}

/** All that ip and tc are told of a network. */
async function told(network: NetworkPlan, kernel = kernelWithout()): Promise<[Tool, string][]> {
  await openTraffic(kernel, recorder()).apply(network);
  return kernel.calls;
}

describe('what tc is told of a network', () => {
  it('what guests receive is what the bridge sends, what they send is what it receives', async () => {
    expect(await told(both)).toEqual([['tc', hook + inbound + outbound]]);
    expect(await told(plan("<inbound average='1000' peak='5000' burst='5120'/>"))).toEqual([['tc', inbound]]);
    expect(await told(plan("<outbound average='128' burst='256'/>"))).toEqual([['tc', hook + outbound]]);
  });

  it('the peak is the average, and the burst that of a second, unless given', async () => {
    expect((await told(plan("<inbound average='12'/>")))[0]![1]).toContain('classid 1:2 htb rate 12kbps ceil 12kbps quantum 1\n');
    expect((await told(plan("<outbound average='300'/>")))[0]![1]).toContain('police rate 300kbps burst 300kb ');
  });

  it('no number is more than tc can count', async () => {
    const most = "average='9007199254740991'";
    expect(await told(plan(`<inbound ${most} burst='4194303'/><outbound ${most}/>`))).toEqual([['tc', hook
      + inbound.replaceAll('1000kbps', '9007199254740991kbps').replaceAll('5000kbps', '9007199254740991kbps').replaceAll('5120kb', '4194303kb').replaceAll('quantum 85', 'quantum 200000')
      + outbound.replace('128kbps', '9007199254740991kbps').replace('256kb', '4194303kb')]]);
    // 274 seconds of 1000 bytes are 267 KiB.
    expect((await told(plan("<inbound average='1' burst='4194303'/>")))[0]![1]).toContain(' burst 267kb ');
  });

  it('the checksums of DHCP answers are completed, over IPv4', async () => {
    expect(await told(plan('', dhcp))).toEqual([['tc', hook + fill]]);
    expect(await told(plan("<inbound average='1000' peak='5000' burst='5120'/><outbound average='128' burst='256'/>", dhcp))).toEqual([['tc', hook + fill + inbound + outbound]]);
    expect(await told(plan('', "<ip family='ipv6' address='fd00::1' prefix='64'><dhcp><range start='fd00::2' end='fd00::9'/></dhcp></ip>"))).toEqual([]);
  });

  it('nothing of a network without limits and DHCP', async () => {
    expect(await told(plan('', "<ip address='10.7.0.1' prefix='24'/>"))).toEqual([]);
    expect(await told(plan("<inbound average='0'/>"))).toEqual([]);
  });

  it('nothing that is no name or number, wherever it comes from', async () => {
    await expect(told({ ...both, bridge: 'a b' })).rejects.toThrow("cannot use 'a b'");
    await expect(told({ ...both, uuid: '../../x' }, kernelWithout('police'))).rejects.toThrow('is no UUID');
    await expect(told({ ...both, definition: { ...both.definition, bandwidth: { inbound: { average: 1.5 } } } })).rejects.toThrow('"1.5" is not from 1');
  });
});

describe('on a kernel', () => {
  it('without sfq, a queue is as long as half a second, and what follows is told again', async () => {
    expect(await told(both, kernelWithout('sfq'))).toEqual([['tc', hook + inbound + outbound], ['tc', `qdisc add dev virbr7 parent 1:2 handle 2: bfifo limit 500000\n${outbound}`]]);
  });

  it('without police, what guests send is led through a device of its own', async () => {
    expect(await told(both, kernelWithout('police'))).toEqual([['tc', hook + inbound + outbound], ['ip', device], ['tc', detour]]);
  });

  it('without both, each is replaced', async () => {
    const calls = await told(both, kernelWithout('sfq', 'police'));
    expect(calls.map(([tool]) => tool)).toEqual(['tc', 'tc', 'ip', 'tc', 'tc']);
    expect(calls.at(-1)![1]).toBe(`qdisc add dev vnb0123456789ab parent 1:2 handle 2: bfifo limit 131072\n${detour.split('\n').at(-2)}\n`);
  });

  it('with neither police nor ifb, it is said what it needs', async () => {
    await expect(told(both, kernelWithout('police', 'ifb'))).rejects.toMatchObject({
      code: ErrorCode.INTERNAL_ERROR, message: expect.stringContaining("the traffic of network 'n'"), hint: expect.stringContaining('act_police'),
    });
  });

  it('where the device cannot be marked, it is taken away again', async () => {
    const kernel = kernelWithout('police', 'alias');
    await expect(told(both, kernel)).rejects.toMatchObject({ code: ErrorCode.INTERNAL_ERROR });
    expect(kernel.calls.map(([tool]) => tool)).toEqual(['tc', 'ip', 'ip']);
  });

  it('without htb, nothing else is tried', async () => {
    const kernel = kernelWithout('htb');
    await expect(told(both, kernel)).rejects.toMatchObject({ message: expect.stringContaining('Specified kind is unknown'), hint: expect.stringContaining('sch_htb') });
    expect(kernel.calls).toHaveLength(1);
  });

  it.each([['csum', [hook + fill, away]], ['clsact', [hook + fill, fill, away]]])('without %s, their checksums are left to iptables; the kernel is asked once', async (missing, lines) => {
    const checksums = recorder();
    const kernel = kernelWithout(missing, ...(missing === 'clsact' ? ['egress'] : []));
    const traffic = openTraffic(kernel, checksums);
    for (const network of [plan('', dhcp), plan('', dhcp)]) await traffic.apply(network);
    expect(kernel.calls).toEqual(lines.map((text) => ['tc', text]));
    expect(checksums.needed).toEqual(['virbr7', 'virbr7']);
    await traffic.apply(plan("<inbound average='1000' peak='5000' burst='5120'/>"));
    expect(checksums.needed).toHaveLength(2);
    await traffic.apply(plan("<inbound average='1000' peak='5000' burst='5120'/>", dhcp));
    expect(kernel.calls.at(-1)).toEqual(['tc', inbound]);
  });

  it('any other failure of tc is one of the network', async () => {
    const kernel = { ...kernelWithout(), run: async () => { throw new CommandError('tc', 'no end within 20000 ms; killed'); } };
    await expect(told(plan('', dhcp), Object.assign(kernel, { calls: [] }))).rejects.toThrow('killed');
  });
});

describe('without the program tc', () => {
  const commands: Commands = { ...kernelWithout(), require: () => Promise.reject(new NetworkError(ErrorCode.SYSTEM_ERROR, "cannot find 'tc' on this host")) };

  it('no network with bandwidth starts', async () => {
    await expect(openTraffic(commands, recorder()).require(both)).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR });
  });

  it('one with DHCP does, and tc is not asked for', async () => {
    const kernel = kernelWithout();
    const checksums = recorder();
    const traffic = openTraffic({ ...kernel, require: commands.require }, checksums);
    await traffic.require(plan('', dhcp));
    await traffic.apply(plan('', dhcp));
    expect(kernel.calls).toEqual([]);
    expect(checksums.needed).toEqual(['virbr7']);
  });
});
