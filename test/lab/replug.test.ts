/** A guest is never stranded: its port is plugged in again when the network comes back, whoever took it away. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openConnection, type Connection } from '../../client/connection.js';
import type { Network } from '../../client/network.js';
import { ErrorCode } from '../../shared/errors.js';
import { startDaemon, until, type Daemon } from '../processes.js';
import { openLab, runProgram, type Lab } from './lab.js';

const bridge = 'lab-again';
/** Two seconds are promised, in milliseconds; twice as much where other tests keep the machine busy. */
const backWithinMs = 4000;

let lab: Lab;
let daemon: Daemon;
let connection: Connection;
let network: Network;

beforeAll(async () => {
  lab = await openLab();
  await runProgram('ip', ['netns', 'add', 'again-guest']);
  daemon = await startDaemon(['--root', lab.folder]);
  connection = await openConnection(daemon.uris['unix']!);
  ({ network } = await connection.defineXml(`<network><name>again</name><forward mode='nat'/><bridge name='${bridge}' stp='off' delay='0'/>
    <ip address='10.94.1.1' prefix='24'><dhcp><range start='10.94.1.10' end='10.94.1.20'/></dhcp></ip></network>`));
  await network.start();
  await network.createPort(portXml(1, 'machine'), { attachment: { tap: { device: 'again-tap' } } });
  await network.createPort(portXml(2, 'container'), { attachment: { veth: { netns: 'again-guest', device: 'again-veth' } } });
  await runProgram('ip', ['-n', 'again-guest', 'addr', 'add', '10.94.1.7/24', 'dev', 'eth0']);
}, 400_000);

afterAll(async () => {
  if (await network?.isActive()) await network.destroy({ force: true });
  await network?.undefine();
  await connection?.close();
  await daemon?.stop();
  await runProgram('ip', ['netns', 'delete', 'again-guest']).catch(() => undefined);
  await lab?.close();
});

function portXml(n: number, owner: string): string {
  return `<networkport><owner><name>${owner}</name><uuid>4b6bd1a5-3c5e-4f0e-9f13-00000000000${n}</uuid></owner><mac address='52:54:00:00:94:0${n}'/></networkport>`;
}

/** The devices that are on the bridge. */
async function plugged(): Promise<string[]> {
  const links = JSON.parse(await runProgram('ip', ['-json', 'link', 'show', 'master', bridge]).catch(() => '[]') || '[]') as { ifname?: string }[];
  return links.flatMap(({ ifname }) => ifname ?? []).sort();
}

const both = ['again-tap', 'again-veth'];
const isBack = () => until('both guests on the bridge', async () => (await plugged()).join() === both.join());
const pings = async () => (await runProgram('ip', ['netns', 'exec', 'again-guest', 'ping', '-c', '1', '-W', '1', '10.94.1.1'])).includes(' 0% packet loss');

describe('guests of a network', () => {
  it('are on its bridge', async () => {
    expect(await plugged()).toEqual(both);
    expect(await pings()).toBe(true);
  });

  it('are back soon when somebody deletes the bridge', async () => {
    const began = performance.now();
    await runProgram('ip', ['link', 'delete', bridge]);
    await isBack();
    expect(performance.now() - began).toBeLessThan(backWithinMs);
    await until('the guest reaches the host', pings);
  });

  it('keep their network from being stopped, by name, unless it is forced; and are plugged in again when it starts', async () => {
    await expect(network.destroy()).rejects.toMatchObject({ code: ErrorCode.OPERATION_INVALID, message: expect.stringMatching(/container.*machine|machine.*container/) });
    expect(await plugged()).toEqual(both);
    await network.destroy({ force: true });
    expect(await plugged()).toEqual([]);
    const began = performance.now();
    await network.start();
    expect(await plugged()).toEqual(both);
    expect(performance.now() - began).toBeLessThan(backWithinMs);
    await until('the guest reaches the host', pings);
  });

  it('stay when the daemon is killed, and are known to the next', async () => {
    await daemon.stop('SIGKILL');
    await connection.close();
    daemon = await startDaemon(['--root', lab.folder]);
    connection = await openConnection(daemon.uris['unix']!);
    network = await connection.lookupByName('again');
    expect(await plugged()).toEqual(both);
    expect(await network.ports()).toHaveLength(2);
    for (const port of await network.ports()) await port.delete();
    expect(await plugged()).toEqual([]);
    expect((await runProgram('ip', ['-br', 'link'])).includes('again-')).toBe(false);
  });
});
