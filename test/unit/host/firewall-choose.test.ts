/** Which firewall is chosen, by the configuration and by what the host has; and what it means that there is none. */
import { describe, expect, it } from 'vitest';
import { ConfigError, defaultConfig, parseConfig } from '../../../server/config.js';
import type { NetworkPlan } from '../../../server/driver/host.js';
import type { Commands, Tool } from '../../../server/host/command.js';
import { chooseFirewall, firewallChoices } from '../../../server/host/firewall/choose.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { goldenCases } from './golden-cases.js';

const plans = Object.fromEntries(goldenCases().map(({ name, plan }) => [name, plan])) as Record<string, NetworkPlan>;

/** A host that has these programs, and on which nothing may be run. */
function having(...tools: Tool[]): Commands {
  const missing = (tool: Tool) => new NetworkError(ErrorCode.SYSTEM_ERROR, `no ${tool}`);
  const refuse = () => Promise.reject(new Error('nothing is run to choose'));
  return { require: async (tool) => { if (!tools.includes(tool)) throw missing(tool); }, run: refuse, read: refuse, follow: refuse };
}

const iptables: Tool[] = ['iptables-restore', 'iptables-save', 'ip6tables-restore', 'ip6tables-save'];

describe('the firewall', () => {
  it.each([
    ['nftables where nft is', ['nft', ...iptables], 'nftables'],
    ['iptables where nft is not', iptables, 'iptables'],
    ['none where half of iptables is', iptables.slice(1), 'none'],
    ['none where there is nothing', [], 'none'],
  ] as [string, Tool[], string][])('is by itself %s', async (_, tools, name) => {
    expect((await chooseFirewall('auto', having(...tools))).name).toBe(name);
  });

  it.each(['nftables', 'iptables', 'none'] as const)('is %s if the configuration says so', async (name) => {
    expect((await chooseFirewall(name, having('nft', ...iptables))).name).toBe(name);
  });

  it('that is named and not there says so when it is needed', async () => {
    const firewall = await chooseFirewall('nftables', having(...iptables));
    await expect(firewall.require()).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: 'no nft' });
  });

  it('has a name that is known', async () => {
    await expect(chooseFirewall('pf' as 'auto', having('nft'))).rejects.toMatchObject({ code: ErrorCode.INVALID_ARG, hint: `known: ${firewallChoices.join(', ')}` });
    const read = (name: string) => parseConfig(`[firewall]\nbackend = "${name}"`, 'vnetd.toml', defaultConfig('/')).firewall.backend;
    expect(firewallChoices.map(read)).toEqual([...firewallChoices]);
    expect(() => read('pf')).toThrow(ConfigError);
  });
});

describe('no firewall', () => {
  it('refuses what needs rules, with what to do, and has no part in what needs none', async () => {
    const none = await chooseFirewall('auto', having());
    for (const step of [() => none.require(), () => none.apply([plans['open']!, plans['nat']!])]) {
      await expect(step()).rejects.toMatchObject({ code: ErrorCode.NO_SUPPORT, hint: expect.stringContaining('apt-get install nftables') });
    }
    await none.apply([plans['open']!]);
    await none.remove(plans['nat']!);
    expect(await none.present([plans['open']!, plans['nat']!])).toEqual([true, false]);
    expect(await none.holdsAny()).toBe(false);
  });
});
