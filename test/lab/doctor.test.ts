/** The doctor on a real machine: nothing on a good one, and what is done to it shows. */
import { spawn } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Host, HostFinding } from '../../server/driver/host.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { openLab, runProgram, type Lab } from './lab.js';

const network = (number: number) => planFrom(`<network><name>doc-${number}</name><uuid>4b6bd1a5-3c5e-4f0e-9f80-00000000000${number}</uuid><forward mode='nat'/>
  <bridge name='lab-doc${number}' stp='off' delay='0'/>
  <ip address='10.84.${number}.1' prefix='24'><dhcp><range start='10.84.${number}.10' end='10.84.${number}.20'/></dhcp></ip></network>`);
const [up, idle] = [network(1), network(2)];

let lab: Lab;
let host: Host;

beforeEach(async () => {
  lab = await openLab();
  host = await openLabHost(lab);
  await host.bringUp(up);
});

afterEach(async () => {
  await host.tearDown(up, { forget: true });
  await host.close();
  await lab.close();
});

/** What is wrong, as `check network`, but for what this kernel lacks and what stands of a network that is not up. */
async function wrong(): Promise<string[]> {
  const findings: HostFinding[] = await host.diagnose([up, idle]);
  return findings.filter(({ severity, check, network: uuid }) => severity !== 'ok' && check !== 'kernel' && !(check === 'standing' && uuid === idle.uuid))
    .map(({ check, network: uuid }) => `${check} ${uuid === up.uuid ? 'up' : uuid === idle.uuid ? 'idle' : 'host'}`).sort();
}

it('is content with a network that works, and finds what is done to it', { timeout: 120_000 }, async () => {
  const standing = async () => (await runProgram('nft', ['list', 'ruleset']) + await runProgram('ip', ['-o', 'addr'])).split('\n');
  const before = await standing();
  expect(await wrong()).toEqual([]);
  expect(await standing()).toEqual(before);

  await runProgram('ip', ['-batch', '-'], 'link add vpn type veth peer name vpn-far\nlink set vpn up\nlink set vpn-far up\nroute add 10.84.1.0/25 dev vpn\nroute add 10.84.0.0/16 dev vpn\n');
  expect(await wrong()).toEqual(['overlap idle', 'overlap up', 'overlap up']);
  await runProgram('ip', ['link', 'delete', 'vpn']);

  await runProgram('nft', ['-f', '-'], 'table inet stern { chain incoming { type filter hook input priority 0; policy accept; iifname "lab-doc1" udp dport 67 reject;\n}\n}');
  expect(await wrong()).toEqual(['foreign-input up']);
  await runProgram('nft', ['delete', 'table', 'inet', 'stern']);

  // One that has brought nothing up mends nothing and starts nothing again.
  await host.close();
  host = await openLabHost(lab);
  await writeFile('/proc/sys/net/ipv4/conf/all/forwarding', '0');
  expect(await wrong()).toEqual(['forwarding up']);
  await writeFile('/proc/sys/net/ipv4/conf/all/forwarding', '1');
  const pid = Number(await readFile(`${lab.folder}/run/dnsmasq/doc-1.pid`, 'utf8'));
  process.kill(pid, 'SIGKILL');
  await until('its end', async () => !(await readdir('/proc')).includes(String(pid)));
  expect(await wrong()).toEqual(['standing up']);
});

it('finds who holds the port that a network needs, and it cannot be started indeed', { timeout: 120_000 }, async () => {
  await host.tearDown(up, { forget: true });
  const greedy = spawn('dnsmasq', ['--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--group=', '--pid-file=', '--no-resolv', '--no-hosts', '--dhcp-range=10.9.9.1,10.9.9.9',
    `--dhcp-leasefile=${lab.folder}/greedy.leases`, '--port=5353'], { stdio: 'ignore' });
  const ended = new Promise((resolve) => greedy.once('exit', resolve));
  try {
    await until('its sockets', async () => (await runProgram('ss', ['-Hlnu', 'sport = :67'])).includes('0.0.0.0:67'));
    const found = (await host.diagnose([idle])).filter(({ check }) => check === 'port-67');
    expect(found).toMatchObject([{ severity: 'error', network: idle.uuid, message: expect.stringContaining(`dnsmasq (pid ${greedy.pid}) holds udp port 67 on 0.0.0.0`) }]);
    await expect(host.bringUp(idle)).rejects.toThrow('Address already in use');
  } finally {
    greedy.kill('SIGKILL');
    await ended;
  }
});
