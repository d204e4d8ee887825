/** A routed network in the midst of the LAN's subnet: the LAN knows no way to its guests, and reaches them all the same. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from '../../server/driver/host.js';
import { ErrorCode } from '../../shared/errors.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { addresses, openLab, runProgram, type Guest, type Lab } from './lab.js';

const document = (name: string, dev: string, ipv4: string, ipv6: string) => planFrom(`<network xmlns:vnet='urn:vnet:network:1'><name>${name}</name>
  <uuid>4b6bd1a5-3c5e-4f0e-9f22-00000000000${ipv4.endsWith('129') ? 1 : 2}</uuid><forward mode='route' dev='${dev}'/><bridge name='lab-${name}' stp='off' delay='0'/>
  <ip address='${ipv4}' prefix='26'/><ip family='ipv6' address='${ipv6}1' prefix='80'><dhcp><range start='${ipv6}100' end='${ipv6}103'/><host name='told' ip='${ipv6}77'/></dhcp></ip>
  <vnet:proxy arp='yes' ndp='yes'/></network>`);
const near = document('near', 'up0', '198.51.100.129', '2001:db8:1:0:80::');
const second = document('second', 'up0', '198.51.100.193', '2001:db8:1:0:90::');

const keys = ['ipv4/conf/up0/proxy_arp', 'ipv6/conf/up0/proxy_ndp'];
const settings = () => Promise.all(keys.map(async (key) => (await readFile(`/proc/sys/net/${key}`, 'utf8')).trim()));
const answeredFor = async () => (JSON.parse(await runProgram('ip', ['-6', '-json', 'neigh', 'show', 'proxy', 'dev', 'up0']) || '[]') as { dst: string }[]).map(({ dst }) => dst).sort();

let lab: Lab;
let host: Host;

beforeAll(async () => {
  lab = await openLab();
  host = await openLabHost(lab);
  for (const family of ['-4', '-6']) await lab.outside.exec('ip', family, 'route', 'delete', 'default');
}, 400_000);

afterAll(async () => {
  for (const plan of [near, second]) await host?.tearDown(plan, { forget: true });
  await host?.close();
  await lab?.close();
});

/** A guest whose own addresses are in both subnets of a network. */
async function plug(name: string, ipv4: string, ipv6: string): Promise<Guest> {
  const guest = await lab.guest(near.bridge, name);
  await guest.setAddress(`${ipv4}/26`, '198.51.100.129');
  await guest.setAddress(`${ipv6}/80`, '2001:db8:1:0:80::1');
  return guest;
}

describe('the host answers for guests', () => {
  it('and the LAN reaches them without a route, and they the LAN, in both families', async () => {
    await host.bringUp(near);
    const guest = await plug('one', '198.51.100.140', '2001:db8:1:0:80::40');
    expect(await guest.reach(addresses.outside.ipv4)).toMatchObject({ reached: true, seen: { address: '198.51.100.140' } });
    expect(await lab.outside.reach('198.51.100.140')).toMatchObject({ reached: true, seen: { address: addresses.outside.ipv4 } });
    await until('the host over IPv6', async () => (await guest.reach('2001:db8:1:0:80::1')).reached);
    await until('the guest over IPv6', async () => (await guest.reach(addresses.outside.ipv6)).seen?.address === '2001:db8:1:0:80::40');
    expect(await lab.outside.reach('2001:db8:1:0:80::40')).toMatchObject({ reached: true, seen: { address: addresses.outside.ipv6 } });
    // The LAN takes the host for its neighbour.
    const [{ address }] = JSON.parse(await runProgram('ip', ['-json', 'link', 'show', 'dev', 'up0'])) as [{ address: string }];
    for (const each of ['198.51.100.140', '2001:db8:1:0:80::40']) expect(await lab.outside.exec('ip', 'neigh', 'show', each)).toContain(address);
  });

  it('whom DHCP knows before they say anything, and for the network\'s own address', async () => {
    expect(await answeredFor()).toEqual(expect.arrayContaining(['2001:db8:1:0:80::1', '2001:db8:1:0:80::77', '2001:db8:1:0:80::100', '2001:db8:1:0:80::103']));
    expect(await lab.outside.reach('2001:db8:1:0:80::1')).toMatchObject({ reached: true });
    // One that has its address from DHCP is reached though it has said nothing.
    const silent = await lab.guest(near.bridge, 'silent');
    await silent.setAddress('2001:db8:1:0:80::102/80');
    await silent.exec('ip', '-6', 'route', 'replace', 'default', 'via', '2001:db8:1:0:80::1');
    expect(await lab.outside.reach('2001:db8:1:0:80::102', { timeoutMs: 5000 })).toMatchObject({ reached: true, seen: { address: addresses.outside.ipv6 } });
  });

  it('also with the netmask of the LAN, over IPv4', async () => {
    const guest = await lab.guest(near.bridge, 'wide');
    await guest.setAddress('198.51.100.141/24');
    expect(await guest.reach(addresses.outside.ipv4)).toMatchObject({ reached: true, seen: { address: '198.51.100.141' } });
    expect(await guest.reach('198.51.100.140')).toMatchObject({ reached: true, seen: { address: '198.51.100.141' } });
  });

  it('that come after a restart of vnet, and not for addresses that are none of the network\'s', async () => {
    await host.close();
    host = await openLabHost(lab);
    await host.observe([near]);
    const guest = await plug('two', '198.51.100.150', '2001:db8:1:0:80::50');
    await guest.exec('ip', '-6', 'address', 'add', '2001:db8:1:0:70::50/80', 'dev', 'eth0', 'nodad', 'preferred_lft', '0');
    await guest.exec('ping', '-c', '1', '-W', '1', '-I', '2001:db8:1:0:70::50', '2001:db8:1:0:80::1').catch(() => undefined);
    // A guest that knows the host from its advertisements need not ask for it: what it says to the host itself tells its address.
    await until('the host over IPv6', async () => (await guest.reach('2001:db8:1:0:80::1')).reached);
    await until('the guest over IPv6', async () => (await guest.reach(addresses.outside.ipv6)).reached);
    expect((await answeredFor()).filter((each) => each.includes('::50') || each.includes(':50'))).toEqual(['2001:db8:1:0:80::50']);
    expect(await lab.outside.reach('2001:db8:1:0:80::50')).toMatchObject({ reached: true });
  });

  it('until the last network that asks for it stops; then all is as it was', async () => {
    await host.bringUp(second);
    await host.tearDown(near, { forget: true });
    expect(await settings()).toEqual(['1', '1']);
    expect(await answeredFor()).toEqual(['1', '100', '101', '102', '103', '77'].map((last) => `2001:db8:1:0:90::${last}`));
    await host.tearDown(second, { forget: true });
    expect(await settings()).toEqual(['0', '0']);
    expect(await answeredFor()).toEqual([]);
    expect(await runProgram('find', [lab.folder, '-name', 'proxy.json'])).toBe('');
    expect(await runProgram('ps', ['-eo', 'args'])).not.toContain('monitor neigh');
    await lab.outside.exec('ip', 'neigh', 'flush', 'all');
    expect((await lab.outside.reach('198.51.100.140', { timeoutMs: 500 })).reached).toBe(false);
  });

  it('and what a person had set stays, also when vnet is restarted in between', async () => {
    await writeFile(`/proc/sys/net/${keys[0]}`, '1');
    await host.bringUp(near);
    await host.close();
    host = await openLabHost(lab);
    await host.tearDown(near, { forget: true });
    expect(await settings()).toEqual(['1', '0']);
    await writeFile(`/proc/sys/net/${keys[0]}`, '0');
  });

  it('but does not start where there is no such LAN, and leaves nothing', async () => {
    const gone = document('near', 'nolan', '198.51.100.129', '2001:db8:1:0:80::');
    await expect(host.bringUp(gone)).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringContaining('nolan') });
    expect(await runProgram('ip', ['link'])).not.toContain('lab-near');
    expect(await readFile(join(lab.folder, 'run/proxy.json'), 'utf8').catch(() => 'none')).toBe('none');
  });
});
