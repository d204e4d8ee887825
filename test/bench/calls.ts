/**
 * Lives here: how fast calls are: looking up, dumping and defining networks on
 * a host that has 1,000 of them, one after the other and with many in flight,
 * over the unix socket and TLS, their table, and the first answer of the
 * program `vnet`; beside libvirtd where it is installed. In turns, in one run,
 * medians.
 */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openConnection, type Connection } from '../../client/connection.js';
import { openLibvirt, type Libvirt } from '../libvirt.js';
import { documentOf, manyNetworks } from '../many-networks.js';
import { dist } from '../processes.js';
import { openServing } from '../serving.js';
import { median, timed, type Figure } from './measure.js';

const run = promisify(execFile);
const networks = manyNetworks(1000);
const names = networks.map(({ name }) => name);
/** Their definitions, with all that a daemon would make up, so that it saves none of them anew. */
const documents = networks.map(documentOf);
const rounds = 5;
/** Of programs, whose times scatter more. */
const programRounds = 9;

/** A kind of call that is timed: how often in one round, and how many at a time. */
interface Load {
  title: string;
  call: 'lookup' | 'dump' | 'define';
  count: number;
  inFlight: number;
  /** The most that our time may be, of libvirt's. */
  limit?: number;
}

const loads: readonly Load[] = [
  { title: 'lookups, one at a time', call: 'lookup', count: 2000, inFlight: 1, limit: 1 },
  { title: 'lookups, 8 in flight', call: 'lookup', count: 2000, inFlight: 8 },
  { title: 'lookups, 50 in flight', call: 'lookup', count: 10_000, inFlight: 50, limit: 0.5 },
  { title: 'dump XML, one at a time', call: 'dump', count: 500, inFlight: 1 },
  { title: 'define, one at a time', call: 'define', count: 50, inFlight: 1 },
];
const busiest = loads[2]!;

/** Times so many calls, in milliseconds. */
type Timer = (load: Load) => Promise<number>;

/** The figures of calls: rates, times, and what of them the project promises as parts of the peer's. */
export async function benchCalls(peer: string | undefined): Promise<Figure[]> {
  const serving = await openServing('host', {
    // What both daemons write is in memory.
    parent: '/run', prepare: (root) => saveNetworks(join(root, 'etc/vnet/networks')), level: 'info', timeoutMs: 60_000,
  });
  const [overUnix, overTls] = await Promise.all([openConnection(serving.uris.unix), openConnection(serving.uris.tls)]);
  const libvirt = peer === 'libvirt' ? await openLibvirt({ prepare: () => saveNetworks('/etc/libvirt/qemu/networks') }) : undefined;
  try {
    const rates = await timeLoads(vnetTimer(overUnix), vnetTimer(overTls), libvirt);
    const table = await timeTables(overUnix, serving.uris.unix, libvirt !== undefined);
    return [...rates, ...table, ...await timeFirstAnswer(libvirt !== undefined)];
  } finally {
    await libvirt?.close();
    await Promise.all([overUnix.close(), overTls.close()]);
    await serving.close();
  }
}

/** Writes the networks where a daemon finds them. None of them starts. */
async function saveNetworks(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await Promise.all(names.map((name, i) => writeFile(join(folder, `${name}.xml`), documents[i]!)));
}

/** Times calls of our own client. */
function vnetTimer(connection: Connection): Timer {
  const calls: Record<Load['call'], (i: number) => Promise<unknown>> = {
    lookup: (i) => connection.driver.networkLookupByName({ name: names[i % names.length]! }),
    dump: (i) => connection.driver.networkDumpXml({ network: { name: names[i % names.length]!, uuid: '' }, inactive: false }),
    define: () => connection.defineXml(documents[0]!),
  };
  return ({ call, count, inFlight }) => timed(async () => {
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < count) await calls[call](next++);
    };
    await Promise.all(Array.from({ length: inFlight }, work));
  });
}

/** The ways to drive libvirt that are tried, for its best: its library waits for each answer, so many in flight are threads. */
function libvirtTimers(libvirt: Libvirt): Timer[] {
  const words = { lookup: names, dump: names, define: documents.slice(0, 1) };
  return [1, 4, 8].map((connections) => ({ call, count, inFlight }) => libvirt.measure(call, words[call], count, inFlight, Math.min(connections, inFlight)));
}

/** Every load by everybody, in turns. */
async function timeLoads(unix: Timer, tls: Timer, libvirt: Libvirt | undefined): Promise<Figure[]> {
  const perCall = new Map<string, number[]>();
  const note = async (who: string, load: Load, timer: Timer, round: number) => {
    const ms = await timer(load);
    if (round >= 0) perCall.set(`${load.title}, ${who}`, [...perCall.get(`${load.title}, ${who}`) ?? [], ms / load.count]);
  };
  const peers = libvirt === undefined ? [] : libvirtTimers(libvirt);
  // The first round is for warming up.
  for (let round = -1; round < rounds; round += 1) {
    for (const load of loads) {
      await note('vnet', load, unix, round);
      if (load === busiest) await note('vnet over TLS', load, tls, round);
      for (const [i, timer] of (load.inFlight === 1 ? peers.slice(0, 1) : peers).entries()) await note(`libvirt ${i}`, load, timer, round);
    }
  }
  return loads.flatMap((load) => figuresOf(load, (who) => median(perCall.get(`${load.title}, ${who}`) ?? []), peers.length));
}

function figuresOf(load: Load, timeOf: (who: string) => number, ways: number): Figure[] {
  const rate = (who: string, ms: number): Figure => ({ name: `${load.title}, ${who}`, value: 1000 / ms, unit: 'a second' });
  const ours = timeOf('vnet');
  const figures = [rate('vnet', ours)];
  if (load === busiest) {
    const overTls = timeOf('vnet over TLS');
    figures.push(rate('vnet over TLS', overTls), { name: `${load.title}, time over TLS to unix`, value: overTls / ours, unit: 'times', limit: 1.25 });
  }
  if (ways > 0) {
    const best = Math.min(...Array.from({ length: load.inFlight === 1 ? 1 : ways }, (_, i) => timeOf(`libvirt ${i}`)));
    figures.push(rate('libvirt', best), { name: `${load.title}, time of vnet to libvirt`, value: ours / best, unit: 'times', ...(load.limit === undefined ? {} : { limit: load.limit }) });
  }
  return figures;
}

const vnet = join(dist, 'bin/vnet.js');

/** The table of all networks: as a call, and as the programs print it. */
async function timeTables(connection: Connection, uri: string, peer: boolean): Promise<Figure[]> {
  const contenders: Record<string, () => Promise<unknown>> = {
    'vnet, the call': () => connection.listAllNetworks(),
    'vnet net-list --all': () => run(process.execPath, [vnet, '-c', uri, 'net-list', '--all']),
    ...(peer ? { 'virsh net-list --all': () => run('virsh', ['-c', 'qemu:///system', 'net-list', '--all']) } : {}),
  };
  const times = await inTurns(contenders);
  const figures = Object.keys(contenders).map((name): Figure => ({ name: `table of 1,000 networks, ${name}`, value: times(name), unit: 'ms' }));
  if (!peer) return figures;
  const toVirsh = (name: string): Figure => ({ name: `table of 1,000 networks, time of ${name}, to virsh`, value: times(name) / times('virsh net-list --all'), unit: 'times' });
  return [...figures, { ...toVirsh('vnet, the call'), limit: 0.2 }, toVirsh('vnet net-list --all')];
}

/** The first answer of the program, from cold, on a host with few networks. */
async function timeFirstAnswer(peer: boolean): Promise<Figure[]> {
  const serving = await openServing('test', { level: 'info' });
  try {
    const times = await inTurns({
      'vnet list': () => run(process.execPath, [vnet, '-c', serving.uris.unix, 'list']),
      'node -e 0': () => run(process.execPath, ['-e', '0']),
      // Its few networks are the active ones, of which there are none.
      ...(peer ? { 'virsh net-list': () => run('virsh', ['-c', 'qemu:///system', 'net-list']) } : {}),
    });
    return [
      ...['vnet list', 'node -e 0', ...(peer ? ['virsh net-list'] : [])].map((name): Figure => ({ name: `first answer, ${name}`, value: times(name), unit: 'ms' })),
      // 200 ms where an empty Node takes 50.
      { name: 'first answer, vnet list to node -e 0', value: times('vnet list') / times('node -e 0'), unit: 'times', limit: 4 },
    ];
  } finally {
    await serving.close();
  }
}

/** Times each contender in turns. Gives the median of each, in milliseconds. */
async function inTurns(contenders: Record<string, () => Promise<unknown>>): Promise<(name: string) => number> {
  const times = new Map<string, number[]>(Object.keys(contenders).map((name) => [name, []]));
  for (let round = -1; round < programRounds; round += 1) {
    for (const [name, contender] of Object.entries(contenders)) {
      const ms = await timed(contender);
      if (round >= 0) times.get(name)!.push(ms);
    }
  }
  return (name) => median(times.get(name)!);
}
