/** A network's MTU: what its bridge has, whatever is plugged in, and what its guests are told. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from '../../server/driver/host.js';
import { ErrorCode } from '../../shared/errors.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { openLab, runProgram, type Guest, type Lab } from './lab.js';

const plan = (mtu: number) => planFrom(`<network><name>sized</name><uuid>4b6bd1a5-3c5e-4f0e-9f12-0000000000d1</uuid><forward mode='nat'/>
  <bridge name='lab-sized' stp='off' delay='0'/><mtu size='${mtu}'/>
  <ip address='10.90.1.1' prefix='24'><dhcp><range start='10.90.1.10' end='10.90.1.20'/></dhcp></ip>
  <ip family='ipv6' address='fd00:90:1::1' prefix='64'/></network>`);

let lab: Lab;
let host: Host;
let guest: Guest | undefined;

beforeAll(async () => {
  lab = await openLab();
  host = await openLabHost(lab);
}, 400_000);

afterEach(async () => {
  await guest?.close();
  guest = undefined;
  await host.tearDown(plan(1500), { forget: true });
});

afterAll(async () => {
  await host?.close();
  await lab?.close();
});

const mtuOf = async (device: string) => (JSON.parse(await runProgram('ip', ['-json', 'link', 'show', 'dev', device])) as { mtu: number }[])[0]!.mtu;

describe('a network with an MTU', () => {
  it.each([1400, 9000])('of %i keeps it when a guest is plugged in, and tells it by DHCP and by router advertisements', async (mtu) => {
    await host.bringUp(plan(mtu));
    expect(await mtuOf('lab-sized')).toBe(mtu);
    guest = await lab.guest('lab-sized', 'sized');
    expect(await mtuOf('lab-sized')).toBe(mtu);
    // A guest cannot take more over IPv6 than its own interface takes.
    await guest.exec('ip', 'link', 'set', 'dev', 'eth0', 'mtu', '9600');
    const ipv6Mtu = async () => Number(await guest!.exec('cat', '/proc/sys/net/ipv6/conf/eth0/mtu'));
    await until('the MTU of a router advertisement', async () => (await guest!.exec('ip', '-6', 'route')).includes('default') && await ipv6Mtu() === mtu, 30_000);
    expect((await guest.lease()).mtu).toBe(mtu);
  }, 60_000);

  it('that the kernel refuses does not start, and leaves nothing', async () => {
    await expect(host.bringUp(plan(70_000))).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringMatching(/bridge 'lab-sized'.*mtu/) });
    expect(await runProgram('ip', ['link'])).not.toContain('lab-sized');
  });
});
