/**
 * Lives here: what a guest's traffic through NAT costs with one network up and
 * with many. Both stand side by side and are measured in turns, in short
 * rounds, so that whatever else the machine does meets both; the figure is the
 * median of the rounds' ratios. Does not know: how a side is made and measured.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { median, type Figure } from './measure.js';

/** How many networks there are when there are many; of libvirt a hundred, since it takes a second for every five. */
const many = { vnet: 500, libvirt: 100 } as const;

const rounds = 15;

/** What is measured, by the name a side knows it under. */
const loads = { packets: 'packets of 64 bytes a second', tcp: 'TCP throughput', latency: 'round trip' } as const;
type Load = keyof typeof loads;

const units: Record<Load, string> = { packets: '/s', tcp: 'bit/s', latency: 'µs' };

/** How much more or less it may be with many networks, in percent. */
const mostPercent = 5;

/** One side, standing. */
interface Side {
  measure(load: Load): Promise<number>;
  close(): Promise<unknown>;
}

/** Measures. The figures are what it is with many networks as percent of what it is with one. */
export async function benchForwarding(peer: string | undefined): Promise<Figure[]> {
  return [...await compare('vnet'), ...(peer === 'libvirt' ? await compare('libvirt') : [])];
}

async function compare(kind: keyof typeof many): Promise<Figure[]> {
  const one = await openSide(kind, 1);
  const other = await openSide(kind, many[kind]);
  const figures: Figure[] = [];
  try {
    for (const load of Object.keys(loads) as Load[]) figures.push(...await compareLoad(kind, load, one, other));
  } finally {
    await one.close();
    await other.close();
  }
  return figures;
}

async function compareLoad(kind: keyof typeof many, load: Load, one: Side, other: Side): Promise<Figure[]> {
  const [withOne, ratios]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    // Whoever is first has the better or the worse of it.
    const order = round % 2 === 0 ? [one, other] : [other, one];
    const measured = new Map<Side, number>();
    for (const side of order) measured.set(side, await side.measure(load));
    withOne.push(measured.get(one)!);
    ratios.push(measured.get(other)! / measured.get(one)!);
  }
  const percent = 100 * median(ratios);
  const name = `forwarding, ${loads[load]}, ${kind}`;
  return [
    { name: `${name}, 1 network up`, value: median(withOne), unit: units[load] },
    { name: `${name}, ${many[kind]} networks up against 1`, value: percent, unit: '%' },
    ...(kind === 'vnet' ? [{ name: `${name}, difference`, value: Math.abs(100 - percent), unit: '%', limit: mostPercent }] : []),
  ];
}

async function openSide(kind: string, count: number): Promise<Side> {
  const enter = new URL('../lab/enter.mjs', import.meta.url).pathname.replace('/dist/test/', '/test/');
  const program = new URL('forwarding-side.js', import.meta.url).pathname;
  const child = spawn(process.execPath, [enter, process.execPath, program, kind, String(count)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`forwarding with ${count} networks of ${kind} could not be measured`);
    return value as string;
  };
  await next();
  return {
    async measure(load) {
      child.stdin.write(`${load}\n`);
      return Number(await next());
    },
    close: () => {
      child.stdin.end();
      return ended;
    },
  };
}
