/**
 * A real guest: QEMU boots its network ROM (iPXE) on a tap that a port made.
 * It gets its lease, loads what the network's TFTP has, and is reached by a
 * guest of another kind. Skipped where qemu-system-x86 or ipxe-qemu is not
 * installed.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host, NetworkPlan } from '../../server/driver/host.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { openLab, type Lab } from './lab.js';
import { plugGuest, portPlan, portTraces } from './port-plan.js';

const program = 'qemu-system-x86_64';
/** The ROM of QEMU's e1000 card; ipxe-qemu's folder is one of QEMU's own. */
const rom = 'pxe-e1000.rom';
const installed = spawnSync(program, ['--version']).status === 0 && ['/usr/lib/ipxe/qemu', '/usr/share/qemu', '/usr/share/ipxe/qemu'].some((folder) => existsSync(`${folder}/${rom}`));

/** Software emulation on a busy machine takes its time. */
const patienceMs = 120_000;

const onBridge = { plug: { type: 'bridge', bridge: 'lab-qemu', managed: true } } as const;
const machine = portPlan(1, { ...onBridge, attachment: { type: 'tap', device: 'lab-qemu-tap', owner: 'nobody', group: '', queues: 1 } });

describe.skipIf(!installed)('a guest that QEMU runs', { timeout: 2 * patienceMs }, () => {
  let lab: Lab;
  let host: Host;
  let network: NetworkPlan;
  let qemu: ChildProcess | undefined;

  beforeAll(async () => {
    lab = await openLab();
    host = await openLabHost(lab);
    const tftp = `${lab.folder}/tftp`;
    await mkdir(tftp);
    // The first file has the guest ask for the second; what that says it asks the network for, by a name that tells who asks.
    await writeFile(`${tftp}/boot.ipxe`, '#!ipxe\necho first file\nchain second.ipxe\n');
    await writeFile(`${tftp}/second.ipxe`, '#!ipxe\necho second file: ${net0/mac} has ${net0/ip}\nprompt --timeout 600000 waiting\n');
    await chmod(tftp, 0o755);
    network = planFrom(`<network><name>booted</name><uuid>4b6bd1a5-3c5e-4f0e-9f13-0000000000a1</uuid><bridge name='lab-qemu' stp='off' delay='0'/>
      <ip address='10.94.0.1' prefix='24'><tftp root='${tftp}'/><dhcp><range start='10.94.0.50' end='10.94.0.60'/><bootp file='boot.ipxe'/></dhcp></ip></network>`);
    await host.bringUp(network);
  }, 400_000);

  afterAll(async () => {
    qemu?.kill('SIGKILL');
    if (network !== undefined) await host.tearDown(network, { forget: true });
    await host?.close();
    await lab?.close();
  });

  it('boots over the network from a tap, and is reached by a guest of another kind', async () => {
    const before = await portTraces();
    await host.attach(network, machine);
    const said: string[] = [];
    // With -nographic iPXE speaks on the serial line too.
    qemu = spawn(program, [
      '-machine', 'pc,accel=tcg', '-m', '64', '-nographic', '-no-user-config', '-nodefaults', '-serial', 'stdio', '-boot', 'n',
      '-netdev', 'tap,id=net,ifname=lab-qemu-tap,script=no,downscript=no', '-device', `e1000,netdev=net,mac=${machine.mac},romfile=${rom}`,
    ], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [qemu.stdout!, qemu.stderr!]) createInterface({ input: stream }).on('line', (line) => said.push(line));
    const spoken = () => said.join('\n').replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, '');

    const lease = await until('its lease', async () => (await host.leases(network)).find(({ mac }) => mac === machine.mac), patienceMs)
      .catch((error: unknown) => { throw new Error(`no lease; it said: ${spoken()}`, { cause: error }); });
    expect(lease).toMatchObject({ family: 'ipv4', address: expect.stringMatching(/^10\.94\.0\.\d+$/) });
    await until('the second file', async () => spoken().includes(`second file: ${machine.mac} has ${lease.address}`), patienceMs)
      .catch((error: unknown) => { throw new Error(`it said: ${spoken()}`, { cause: error }); });
    expect(spoken()).toContain('first file');

    const container = await plugGuest(host, network, portPlan(2, onBridge));
    await container.setAddress('10.94.0.7/24');
    await until('an answer of the guest', async () => (await container.exec('ping', '-c', '1', '-W', '2', lease.address)).includes('1 received'), patienceMs);
    expect(await container.exec('ip', 'neigh', 'show', lease.address)).toContain(machine.mac);
    await container.close();
    const ended = new Promise((resolve) => qemu!.once('exit', resolve));
    qemu.kill('SIGKILL');
    await ended;
    await host.detach(network, machine);
    expect(await portTraces()).toEqual(before);
  });
});
