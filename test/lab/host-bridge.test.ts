/** Networks on a bridge that the host had already: their guests are on it, and nothing of it changes. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host, NetworkPlan } from '../../server/driver/host.js';
import { ErrorCode } from '../../shared/errors.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { openLab, runProgram, type Lab } from './lab.js';

const uuid = '4b6bd1a5-3c5e-4f0e-9f12-0000000000c1';

/** What the rules make of such a network: it has no bridge of its own. */
function plan(bridge: string, inner = ''): NetworkPlan {
  return { ...planFrom(`<network><name>shared</name><uuid>${uuid}</uuid><forward mode='bridge'/><bridge name='${bridge}'/>${inner}</network>`), bridge: '' };
}

let lab: Lab;
let host: Host;

beforeAll(async () => {
  lab = await openLab();
  host = await openLabHost(lab);
  await runProgram('ip', ['-batch', '-'], 'link add lan type bridge\naddr add 10.89.0.1/24 dev lan\nlink set lan up\nlink set up1 master lan\n');
  // The kernel looks for others who have an address before it uses it, and marks it until then.
  await until('addresses that are settled', async () => (await runProgram('ip', ['address', 'show', 'tentative'])) === '');
}, 400_000);

afterAll(async () => {
  await runProgram('ip', ['link', 'delete', 'lan']);
  await host?.close();
  await lab?.close();
});

/** All of the host that a network could change. */
async function everything(): Promise<string[]> {
  const links = JSON.parse(await runProgram('ip', ['-d', '-json', 'address'])) as Record<string, unknown>[];
  return [
    JSON.stringify(links.map(({ ifname, flags, mtu, address, ifalias, master, addr_info }) => ({ ifname, flags, mtu, address, ifalias, master, addr_info }))).replaceAll(',"tentative":true', ''),
    await runProgram('ip', ['route']), await runProgram('ip', ['-6', 'route']), await runProgram('tc', ['qdisc', 'show']),
    await runProgram('nft', ['list', 'ruleset']), ...await Promise.all(['ipv4/ip_forward', 'ipv6/conf/all/forwarding', 'ipv6/conf/lan/disable_ipv6', 'ipv6/conf/lan/accept_ra'].map((key) => readFile(`/proc/sys/net/${key}`, 'utf8'))),
    await runProgram('find', [lab.folder]),
  ];
}

describe("a network on the host's own bridge", () => {
  it('lets its guests reach each other, the host and what else is there, and leaves no trace', async () => {
    const before = await everything();
    await host.bringUp(plan('lan'));
    expect(await everything()).toEqual(before);
    const [one, two] = [await lab.guest('lan', 'one'), await lab.guest('lan', 'two')];
    await one.setAddress('10.89.0.11/24');
    await two.setAddress('10.89.0.12/24');
    await lab.elsewhere.exec('ip', 'address', 'add', '10.89.0.99/24', 'dev', 'eth0');
    for (const address of ['10.89.0.12', '10.89.0.1', '10.89.0.99']) {
      expect(await one.reach(address), address).toMatchObject({ reached: true, seen: { address: '10.89.0.11' } });
    }
    expect(await lab.elsewhere.reach('10.89.0.12')).toMatchObject({ reached: true });

    await host.tearDown(plan('lan'), { forget: true });
    expect(await one.reach('10.89.0.12')).toMatchObject({ reached: true });
    await Promise.all([one.close(), two.close()]);
    expect(await everything()).toEqual(before);
  });

  it('is none of ours to look for: the host says that nothing is missing', async () => {
    const managed = planFrom(`<network><name>own</name><uuid>${uuid.replace(/1$/, '2')}</uuid><bridge name='lab-own'/></network>`);
    await host.bringUp(managed);
    const { standing } = await host.observe([plan('lan'), managed, plan('gone')]);
    expect(standing).toEqual([
      { bridge: false, dnsmasq: true, firewall: true }, { bridge: true, dnsmasq: true, firewall: true }, { bridge: false, dnsmasq: true, firewall: true },
    ]);
    await host.tearDown(managed, { forget: true });
  });

  it('does not start where the host has no such bridge', async () => {
    await expect(host.bringUp(plan('nolan'))).rejects.toMatchObject({
      code: ErrorCode.SYSTEM_ERROR, message: expect.stringContaining("no bridge 'nolan' on this host"), hint: expect.stringContaining('ip link show type bridge'),
    });
    await expect(host.bringUp(plan('up0'))).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringContaining("'up0' is no bridge") });
  });

  it('does not limit what is not its own', async () => {
    await expect(host.bringUp(plan('lan', "<bandwidth><inbound average='100'/></bandwidth>"))).rejects.toMatchObject({
      code: ErrorCode.CONFIG_UNSUPPORTED, message: expect.stringContaining('network/bandwidth'),
    });
  });
});
