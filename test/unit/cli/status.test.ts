/** `vnet status`: what it prints of networks, of repairs and of damaged files. */
import { describe, expect, it } from 'vitest';
import type { GetStatusRequest, GetStatusResponse } from '../../../shared/gen/vnet/v1/network_driver.js';
import { fakeDriver, fakeNetwork } from './fake-driver.js';
import { runVnet } from './run-vnet.js';

const [lab, calm] = [fakeNetwork('lab'), fakeNetwork('calm')];
const at = Date.parse('2026-01-02T03:04:05.000Z');
const whole: GetStatusResponse = {
  networks: [
    { network: calm.network, active: false, faults: [], repairs: [] },
    {
      network: lab.network, active: true,
      faults: [{ part: 'dnsmasq', message: 'dnsmasq \u001b[31mends', sinceMs: at }, { part: 'bridge', message: 'it is down', sinceMs: at + 1000 }],
      repairs: [{ part: 'dnsmasq', what: 'dnsmasq', timeMs: at + 2000, count: 7 }],
    },
  ],
  damagedFiles: [
    { path: '/etc/vnet/networks/broken.xml', network: 'broken', message: 'it ends too soon', advice: 'mend it' },
    { path: '/run/vnet/networks/x.json', network: '', message: 'no JSON', advice: '' },
  ],
};

function driverWith(answer: GetStatusResponse) {
  const asked: GetStatusRequest[] = [];
  const driver = {
    ...fakeDriver(lab, calm),
    getStatus: async (request: GetStatusRequest): Promise<GetStatusResponse> => {
      asked.push(request);
      const { network } = request;
      if (network === undefined) return answer;
      return { networks: answer.networks.filter((one) => one.network!.uuid === network.uuid), damagedFiles: [] };
    },
  };
  return { driver, asked };
}

const lines = (out: string) => out.split('\n').map((line) => line.trimEnd());

describe('vnet status', () => {
  it('prints the health of all networks, and below what was repaired and what is damaged', async () => {
    const { code, out, err } = await runVnet(['status'], driverWith(whole));
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(lines(out)).toEqual([
      ' Name   State      Health     Since                      Reason', expect.stringMatching(/^-+$/),
      ' calm   inactive   healthy    -                          -',
      ' lab    active     degraded   2026-01-02T03:04:05.000Z   dnsmasq \\x1b[31mends',
      '                              2026-01-02T03:04:06.000Z   it is down', '',
      ' Name   Part      Times   Last                       Repaired', expect.stringMatching(/^-+$/),
      ' lab    dnsmasq   7       2026-01-02T03:04:07.000Z   dnsmasq', '',
      ' Damaged file                    Reason', expect.stringMatching(/^-+$/),
      ' /etc/vnet/networks/broken.xml   it ends too soon',
      '                                 try: mend it',
      ' /run/vnet/networks/x.json       no JSON', '', '',
    ]);
  });

  it('prints one table where there is nothing else to say', async () => {
    const { out } = await runVnet(['status'], driverWith({ networks: [whole.networks[0]!], damagedFiles: [] }));
    expect(lines(out)).toEqual([expect.stringContaining('Health'), expect.stringMatching(/^-+$/), ' calm   inactive   healthy   -       -', '', '']);
    expect(lines((await runVnet(['status'], driverWith({ networks: [], damagedFiles: [] }))).out)[0]).toContain('Health');
  });

  it('tells of one network, also of one that is not there because its definition is damaged', async () => {
    const { driver, asked } = driverWith(whole);
    const { code, out } = await runVnet(['status', 'calm'], { driver });
    expect({ code, asked }).toEqual({ code: 0, asked: [{ network: { name: '', uuid: calm.network.uuid } }] });
    expect(out).not.toContain('lab');
    const broken = await runVnet(['status', 'broken'], { driver });
    expect(broken).toMatchObject({ code: 0, err: '' });
    expect(lines(broken.out)).toEqual([' Damaged file                    Reason', expect.stringMatching(/^-+$/), ' /etc/vnet/networks/broken.xml   it ends too soon', expect.stringContaining('try: mend it'), '', '']);
    expect(await runVnet(['status', 'lba'], { driver })).toMatchObject({ code: 3, out: expect.not.stringContaining('Health'), err: expect.stringContaining("did you mean 'lab'?") });
  });

  it('gives records', async () => {
    const { code, out } = await runVnet(['status', '-o', 'json'], driverWith(whole));
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual([
      { kind: 'network', name: 'calm', uuid: calm.network.uuid, active: false, health: 'healthy', faults: [], repairs: [] },
      {
        kind: 'network', name: 'lab', uuid: lab.network.uuid, active: true, health: 'degraded',
        faults: [
          { part: 'dnsmasq', message: 'dnsmasq \u001b[31mends', since: '2026-01-02T03:04:05.000Z' }, { part: 'bridge', message: 'it is down', since: '2026-01-02T03:04:06.000Z' },
        ],
        repairs: [{ part: 'dnsmasq', what: 'dnsmasq', last: '2026-01-02T03:04:07.000Z', count: 7 }],
      },
      { kind: 'damaged-file', path: '/etc/vnet/networks/broken.xml', name: 'broken', message: 'it ends too soon', advice: 'mend it' },
      { kind: 'damaged-file', path: '/run/vnet/networks/x.json', name: null, message: 'no JSON', advice: null },
    ]);
    expect((await runVnet(['status', 'calm', '-o', 'yaml'], driverWith(whole))).out).toMatch(/^- kind: network\n {2}name: calm\n/);
  });
});
