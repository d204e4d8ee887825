/**
 * Lives here: one side of the comparison of forwarding: a lab with so many
 * networks up and a guest on the first, that measures when it is told to. A
 * program of its own, in namespaces of its own, so that several sides stand
 * side by side and can be measured in turns.
 *
 *     node test/lab/enter.mjs node forwarding-side.js vnet|libvirt COUNT
 *
 * Reads the name of a load a line, and answers with a number a line, after one
 * line when it is ready; it ends with its input.
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { openConnection } from '../../client/connection.js';
import { addresses, openLab, type Guest } from '../lab/lab.js';
import { inNamespace } from '../lab/place.js';
import { openLibvirt } from '../libvirt.js';
import { stopAll } from '../many-networks.js';
import { startDaemon, until } from '../processes.js';

/** The part of iperf3's report that is read. */
interface Report {
  end: { sum: { packets: number; lost_packets: number; seconds: number }; sum_received: { bits_per_second: number } };
}

/** What can be measured of a guest's traffic to the outside, by name. */
const loads: Record<string, (guest: Guest) => Promise<number>> = {
  packets: async (guest) => {
    const { sum } = (await iperf(guest, '-u', '-b', '0', '-l', '22')).end;
    return (sum.packets - sum.lost_packets) / sum.seconds;
  },
  tcp: async (guest) => (await iperf(guest)).end.sum_received.bits_per_second,
  latency: roundTrip,
};

async function iperf(guest: Guest, ...argv: string[]): Promise<Report> {
  return JSON.parse(await guest.exec('iperf3', '--client', addresses.outside.ipv4, '--time', '1', '--json', ...argv)) as Report;
}

/** Each as soon as the one before is back; in microseconds. What ping prints of a single one has too few digits. */
async function roundTrip(guest: Guest): Promise<number> {
  const count = 20_000;
  const text = await guest.exec('ping', '-n', '-q', '-f', '-c', String(count), addresses.outside.ipv4);
  const [, ms = NaN] = / 0% packet loss, time (\d+)ms/.exec(text) ?? [];
  return (1000 * Number(ms)) / count;
}

/** Starts networks, and gives the way to end them. The first one has DHCP; the others cost a packet bridges and rules alone. */
const starters: Record<string, (count: number, folder: string) => Promise<() => Promise<unknown>>> = {
  async vnet(count, folder) {
    const daemon = await startDaemon(['--root', folder]);
    const connection = await openConnection(daemon.uris['unix']!);
    await Promise.all(Array.from({ length: count }, (_, n) => connection.createXml(document(n))));
    await idle(daemon.process.pid!);
    return async () => {
      await stopAll(await connection.listAllNetworks({ active: true }));
      await connection.close();
      await daemon.stop();
    };
  },
  async libvirt(count) {
    const libvirt = await openLibvirt();
    for (let n = 0; n < count; n += 1) {
      await libvirt.ask('define', document(n));
      await libvirt.ask('start', `side${n}`);
    }
    return async () => {
      for (let n = 0; n < count; n += 1) await libvirt.ask('stop', `side${n}`);
      await libvirt.close();
    };
  },
};

function document(n: number): string {
  return `<network><name>side${n}</name><forward mode='nat'/><bridge name='side${n}' stp='off'/>${n === 0 ? '' : "<dns enable='no'/>"}
    <ip address='10.${70 + (n >> 8)}.${n & 255}.1' prefix='24'/></network>`;
}

/** Waits until a process has nothing more to do: what is measured is the kernel. */
async function idle(pid: number): Promise<void> {
  const ticks = async () => {
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(' ');
    return Number(fields[13]) + Number(fields[14]);
  };
  await until('the daemon is idle', async () => {
    const before = await ticks();
    await setTimeout(500);
    return await ticks() - before <= 1;
  }, 60_000);
}

async function main([kind = '', count = '']: string[]): Promise<void> {
  const lab = await openLab();
  const stop = await starters[kind]!(Number(count), lab.folder);
  const [program, ...argv] = inNamespace('outside', 'iperf3', '--server', '--bind', addresses.outside.ipv4);
  const server = spawn(program, argv, { stdio: 'ignore' });
  try {
    const guest = await lab.guest('side0', 'guest');
    await guest.setAddress('10.70.0.100/24', '10.70.0.1');
    await until('iperf3 answers', async () => iperf(guest).then(() => true));
    process.stdout.write('ready\n');
    for await (const load of createInterface({ input: process.stdin })) process.stdout.write(`${await loads[load]!(guest)}\n`);
  } finally {
    await stop();
    server.kill();
    await lab.close();
  }
}

await main(process.argv.slice(2));
