/**
 * Lives here: what a guest's traffic through NAT costs with one network up and
 * with many. Two rounds of each in turn, in one run, medians. Measured with
 * iperf3 between a guest and the outside of a lab.
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { openConnection, type Connection, type Network } from '../../client/connection.js';
import { addresses, openLab, type Guest } from '../lab/lab.js';
import { inNamespace } from '../lab/place.js';
import { startDaemon, until, type Daemon } from '../processes.js';
import { median, type Figure } from './measure.js';

/** How many networks there are when there are many. */
const many = 500;

const rounds = 2;
const samplesEachRound = 3;
const secondsEachSample = 2;

/** What is measured: the arguments of iperf3, and the rate in its report. */
const loads = {
  'packets of 64 bytes': { argv: ['-u', '-b', '0', '-l', '22'], rate: (end: Report['end']) => (end.sum.packets - end.sum.lost_packets) / end.sum.seconds },
  'TCP': { argv: [], rate: (end: Report['end']) => end.sum_received.bits_per_second },
} as const;

type Load = keyof typeof loads;

/** The part of iperf3's report that is read. */
interface Report {
  end: { sum: { packets: number; lost_packets: number; seconds: number }; sum_received: { bits_per_second: number } };
}

/** Measures. The figures are rates with many networks as percent of those with one. */
export async function benchForwarding(_peer: string | undefined): Promise<Figure[]> {
  const lab = await openLab();
  const daemon = await startDaemon(['--root', lab.folder]);
  const connection = await openConnection(daemon.uris['unix']!);
  const [program, ...argv] = inNamespace('outside', 'iperf3', '--server', '--bind', addresses.outside.ipv4);
  const server = spawn(program, argv, { stdio: 'ignore' });
  try {
    const { network } = await connection.defineXml(document('bench', 0, "<dhcp><range start='10.70.0.2' end='10.70.0.9'/></dhcp>", ''));
    await network.start();
    const guest = await lab.guest(await network.bridgeName(), 'guest');
    await guest.setAddress('10.70.0.100/24', '10.70.0.1');
    await until('iperf3 answers', async () => measure(guest, 'TCP', 0.2).then(() => true));
    return await compare(connection, daemon, guest);
  } finally {
    for (const { network } of await connection.listAllNetworks({ active: true })) await network.destroy();
    server.kill();
    await connection.close();
    await daemon.stop();
    await lab.close();
  }
}

/** Waits until the daemon has nothing more to do: what is measured is the kernel. */
async function settle(daemon: Daemon): Promise<void> {
  const ticks = async () => {
    const fields = (await readFile(`/proc/${daemon.process.pid}/stat`, 'utf8')).split(' ');
    return Number(fields[13]) + Number(fields[14]);
  };
  await until('the daemon is idle', async () => {
    const before = await ticks();
    await setTimeout(500);
    return await ticks() - before <= 1;
  }, 30_000);
}

async function compare(connection: Connection, daemon: Daemon, guest: Guest): Promise<Figure[]> {
  const rates: Record<'one' | 'many', Record<Load, number[]>> = {
    one: { 'packets of 64 bytes': [], TCP: [] }, many: { 'packets of 64 bytes': [], TCP: [] },
  };
  const sample = async (into: Record<Load, number[]>) => {
    await settle(daemon);
    for (let i = 0; i < samplesEachRound; i += 1) {
      for (const load of Object.keys(loads) as Load[]) into[load].push(await measure(guest, load, secondsEachSample));
    }
  };
  for (let round = 0; round < rounds; round += 1) {
    await sample(rates.one);
    const others = await startMany(connection);
    await sample(rates.many);
    await Promise.all(others.map((network) => network.destroy()));
  }
  return (Object.keys(loads) as Load[]).map((load) => ({
    name: `forwarding, ${load}, ${many} networks up against 1`, unit: '%',
    value: 100 * median(rates.many[load]) / median(rates.one[load]),
  }));
}

/** Networks without DHCP and DNS: what costs a packet is bridges and rules. */
async function startMany(connection: Connection): Promise<Network[]> {
  return Promise.all(Array.from({ length: many - 1 }, async (_, i) => {
    const n = i + 1;
    const { network } = await connection.createXml(document(`other${n}`, n, '', "<dns enable='no'/>"));
    return network;
  }));
}

function document(name: string, n: number, dhcp: string, dns: string): string {
  return `<network><name>${name}</name><forward mode='nat'/><bridge name='vb${n}' stp='off'/>${dns}
    <ip address='10.${70 + (n >> 8)}.${n & 255}.1' prefix='24'>${dhcp}</ip></network>`;
}

async function measure(guest: Guest, load: Load, seconds: number): Promise<number> {
  const { argv, rate } = loads[load];
  const report = JSON.parse(await guest.exec('iperf3', '--client', addresses.outside.ipv4, '--time', String(Math.max(1, seconds)), '--json', ...argv)) as Report;
  return rate(report.end);
}
