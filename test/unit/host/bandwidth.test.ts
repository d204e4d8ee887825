/** What tc is told of a network's bandwidth, and what it is told instead where the kernel lacks something. */
import { beforeEach, describe, expect, it } from 'vitest';
import { applyBandwidth, hasBandwidth, renderBandwidth, renderDetour } from '../../../server/host/bandwidth.js';
import { CommandError, type Commands, type Tool } from '../../../server/host/command.js';
import type { NetworkPlan } from '../../../server/driver/host.js';
import { parseNetwork } from '../../../shared/definition/index.js';

function plan(bandwidth: string): NetworkPlan {
  const { definition } = parseNetwork(`<network><name>n</name><uuid>4b6bd1a5-3c5e-4f0e-9f12-0123456789ab</uuid>
    <bridge name='virbr7'/><bandwidth>${bandwidth}</bandwidth></network>`);
  return { uuid: definition.uuid!, name: 'n', bridge: 'virbr7', definition };
}

const both = plan("<inbound average='1000' peak='5000' burst='5120'/><outbound average='128' burst='256'/>");

/** The lines of both as one `tc -batch` each. */
const inbound = `qdisc add dev virbr7 root handle 1: htb default 2
class add dev virbr7 parent 1: classid 1:1 htb rate 1000kbps ceil 5000kbps quantum 85
class add dev virbr7 parent 1:1 classid 1:2 htb rate 1000kbps ceil 5000kbps burst 5120kb quantum 85
qdisc add dev virbr7 parent 1:2 handle 2: sfq perturb 10
`;
const outbound = `qdisc add dev virbr7 ingress
filter add dev virbr7 parent ffff: protocol all u32 match u32 0 0 police rate 128kbps burst 256kb mtu 64kb drop flowid :1
`;
const detour = `qdisc add dev vnb0123456789ab root handle 1: htb default 2
class add dev vnb0123456789ab parent 1: classid 1:1 htb rate 128kbps ceil 128kbps quantum 10
class add dev vnb0123456789ab parent 1:1 classid 1:2 htb rate 128kbps ceil 128kbps burst 256kb quantum 10
qdisc add dev vnb0123456789ab parent 1:2 handle 2: sfq perturb 10
filter add dev virbr7 parent ffff: protocol all u32 match u32 0 0 flowid :1 action mirred egress redirect dev vnb0123456789ab
`;

describe('rendered from a bandwidth', () => {
  it('what guests receive is what the bridge sends, what they send is what it receives', () => {
    expect(renderBandwidth(both)).toBe(inbound + outbound);
    expect(renderBandwidth(plan("<inbound average='1000' peak='5000' burst='5120'/>"))).toBe(inbound);
    expect(renderBandwidth(plan("<outbound average='128' burst='256'/>"))).toBe(outbound);
  });

  it('where the kernel cannot police, what guests send goes through a queue on a device of its own', () => {
    expect(renderDetour(both)).toBe(detour);
    expect(renderDetour(plan("<inbound average='1000'/>"))).toBe('');
  });

  it('the peak is the average, and the burst that of a second, unless given', () => {
    expect(renderBandwidth(plan("<inbound average='12'/>"))).toContain('classid 1:2 htb rate 12kbps ceil 12kbps quantum 1\n');
    expect(renderBandwidth(plan("<outbound average='300'/>"))).toContain('police rate 300kbps burst 300kb ');
  });

  it('no number goes beyond what tc can count', () => {
    expect(renderBandwidth(plan("<inbound average='9007199254740991' burst='4194303'/><outbound average='9007199254740991'/>"))).toBe(
      inbound.replaceAll('1000kbps', '9007199254740991kbps').replaceAll('5000kbps', '9007199254740991kbps')
        .replaceAll('5120kb', '4194303kb').replaceAll('quantum 85', 'quantum 200000')
      + outbound.replace('128kbps', '9007199254740991kbps').replace('256kb', '4194303kb'));
    // 274 seconds of 1000 bytes are 267 KiB.
    expect(renderBandwidth(plan("<inbound average='1' burst='4194303'/>"))).toContain(' burst 267kb ');
  });

  it('nothing from a network without limits', () => {
    for (const nothing of ['', "<inbound average='0'/>"]) {
      expect(renderBandwidth(plan(nothing))).toBe('');
      expect(hasBandwidth(plan(nothing))).toBe(false);
    }
    expect(hasBandwidth(both)).toBe(true);
  });

  it('nothing from what is no name or number, wherever it comes from', () => {
    expect(() => renderBandwidth({ ...both, bridge: 'a b' })).toThrow("cannot use 'a b'");
    expect(() => renderDetour({ ...both, uuid: '../../x' })).toThrow('is no UUID');
    const odd = { ...both, definition: { ...both.definition, bandwidth: { inbound: { average: 1.5 } } } };
    expect(() => renderBandwidth(odd)).toThrow('"1.5" is not from 1');
  });
});

describe('a kernel', () => {
  const calls: [Tool, string][] = [];
  beforeEach(() => void calls.splice(0));

  /** A door that fails as tc does at the first line that has one of these words. */
  function kernelWithout(...words: string[]): Commands {
    return {
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

  it('that has everything is asked once', async () => {
    await applyBandwidth(kernelWithout(), both);
    expect(calls).toEqual([['tc', inbound + outbound]]);
  });

  it('that is not to hold anything is not asked', async () => {
    await applyBandwidth(kernelWithout(), plan(''));
    expect(calls).toEqual([]);
  });

  it('without sfq gets a queue that is as long as half a second, and everything after it', async () => {
    await applyBandwidth(kernelWithout('sfq'), both);
    expect(calls).toEqual([['tc', inbound + outbound], ['tc', `qdisc add dev virbr7 parent 1:2 handle 2: bfifo limit 500000\n${outbound}`]]);
  });

  it('without police gets the device, then the detour', async () => {
    await applyBandwidth(kernelWithout('police'), both);
    expect(calls).toEqual([
      ['tc', inbound + outbound],
      ['ip', 'link add name vnb0123456789ab txqueuelen 1000 type ifb\nlink set dev vnb0123456789ab alias vnet:4b6bd1a5-3c5e-4f0e-9f12-0123456789ab up\n'],
      ['tc', detour],
    ]);
  });

  it('without both gets both', async () => {
    await applyBandwidth(kernelWithout('sfq', 'police'), both);
    expect(calls.map(([tool]) => tool)).toEqual(['tc', 'tc', 'ip', 'tc', 'tc']);
    expect(calls.at(-1)![1]).toBe(`qdisc add dev vnb0123456789ab parent 1:2 handle 2: bfifo limit 131072\n${detour.split('\n').at(-2)}\n`);
  });

  it('with neither police nor ifb: said with what it needs', async () => {
    await expect(applyBandwidth(kernelWithout('police', 'ifb'), both)).rejects.toMatchObject({
      message: expect.stringContaining("cannot set the bandwidth of network 'n'"), hint: expect.stringContaining('act_police'),
    });
  });

  it('without htb: said in words of tc, with what it needs, and nothing else is tried', async () => {
    await expect(applyBandwidth(kernelWithout('htb'), both)).rejects.toMatchObject({
      message: expect.stringContaining('Specified kind is unknown'), hint: expect.stringContaining('sch_htb'),
    });
    expect(calls).toHaveLength(1);
  });
});
