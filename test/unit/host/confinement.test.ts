/** What every dnsmasq is told that it may not do, whatever its network: its files are the golden ones. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { goldenCases } from './golden-cases.js';

const all = await Promise.all(goldenCases().map(async ({ name, folder, plan }) => ({
  name, definition: plan.definition, lines: (await readFile(join(folder, 'dnsmasq.conf'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '' && !line.startsWith('#')),
})));
const cases = all.filter(({ lines }) => lines.length > 0);

describe('dnsmasq', () => {
  it('T28: gives up its rights, and keeps no helper that would be root', () => {
    expect(cases.length).toBeGreaterThan(5);
    for (const { name, lines } of cases) {
      expect({ name, lines }).toEqual({ name, lines: expect.arrayContaining(['user=dnsmasq']) });
      expect({ name, scripts: lines.filter((line) => /script|conf-dir|conf-file/.test(line)) }).toEqual({ name, scripts: [] });
    }
  });

  it('T31: answers on the bridge of its network and nowhere else', () => {
    for (const { name, definition, lines } of cases) {
      expect({ name, listens: lines.filter((line) => /^(interface|listen-address|except-interface|bind-)/.test(line)) })
        .toEqual({ name, listens: ['except-interface=lo', 'bind-dynamic', `interface=${definition.bridge!.name}`] });
    }
  });

  it('T30: of a network that leads nowhere asks nobody outside, and is nobody\'s way out', () => {
    const isolated = cases.filter(({ definition }) => definition.forward === undefined && definition.dns?.enable !== false);
    expect(isolated.map(({ name }) => name)).toContain('isolated');
    for (const { name, lines } of isolated) {
      expect({ name, lines }).toEqual({ name, lines: expect.arrayContaining(['no-resolv', 'dhcp-option=3', 'ra-param=*,0,0']) });
      expect({ name, upstream: lines.filter((line) => /^(servers-file|resolv-file|server)=/.test(line)) }).toEqual({ name, upstream: [] });
    }
  });

  it('T27: gives no more leases than its ranges have addresses', () => {
    const serving = cases.filter(({ definition }) => definition.ips.some(({ dhcp }) => (dhcp?.ranges.length ?? 0) > 0));
    expect(serving.length).toBeGreaterThan(2);
    for (const { name, lines } of serving) expect({ name, most: lines.filter((line) => line.startsWith('dhcp-lease-max=')) }).toEqual({ name, most: [expect.stringMatching(/=\d{1,6}$/)] });
  });
});
