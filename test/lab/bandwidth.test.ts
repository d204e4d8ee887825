/**
 * How fast a network's guests receive and send, measured with what arrives;
 * and that nothing of it stays on the host.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Host, NetworkPlan } from '../../server/driver/host.js';
import { CommandError, openCommands, type Commands } from '../../server/host/command.js';
import { ErrorCode } from '../../shared/errors.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { openLab, runProgram, type Guest, type Lab } from './lab.js';

const addresses = { ipv4: '10.88.1.1', ipv6: 'fd00:88:1::1' } as const;

const plan = (bandwidth: string) => planFrom(`<network ipv6='yes'>
  <name>measured</name><uuid>4b6bd1a5-3c5e-4f0e-9f12-0000000000b1</uuid><forward mode='nat'/>
  <bridge name='lab-measured' stp='off' delay='0'/><dns enable='no'/>
  <ip address='${addresses.ipv4}' prefix='24'/><ip family='ipv6' address='${addresses.ipv6}' prefix='64'/>
  ${bandwidth === '' ? '' : `<bandwidth>${bandwidth}</bandwidth>`}</network>`);

let lab: Lab;
let host: Host;
let up: NetworkPlan | undefined;
let guest: Guest | undefined;

beforeAll(async () => {
  lab = await openLab();
  host = await openLabHost(lab);
}, 400_000);

afterEach(() => stop());

afterAll(async () => {
  await host?.close();
  await lab?.close();
});

/** A guest on a network that has this bandwidth. */
async function start(bandwidth: string): Promise<Guest> {
  const one = plan(bandwidth);
  await host.bringUp(one);
  up = one;
  guest = await lab.guest(one.bridge, 'measured');
  await guest.setAddress('10.88.1.7/24');
  await guest.setAddress('fd00:88:1::7/64');
  return guest;
}

async function stop(): Promise<void> {
  await guest?.close();
  if (up !== undefined) await host.tearDown(up, { forget: true });
  guest = up = undefined;
}

/** What a guest runs: it takes what comes, or gives all it can, until the other side ends. */
const peer = `
const [address, port, direction] = process.argv.slice(1);
const socket = require('node:net').createConnection({ host: address, port: Number(port) }, () => {
  const give = () => { while (socket.write(Buffer.alloc(16384))); };
  if (direction === 'sends') socket.on('drain', give), give();
});
const times = [];
let bytes = 0;
socket.on('data', (data) => times.push([performance.now(), bytes += data.length])).on('error', () => {}).on('close', () => console.log(JSON.stringify(times)));
`;

/** What a guest runs that takes what another sends, until so much has arrived. */
const counter = `
const [port, enough] = process.argv.slice(1).map(Number);
const times = [];
let bytes = 0;
const server = require('node:net').createServer((socket) => socket.on('data', (data) => {
  times.push([performance.now(), bytes += data.length]);
  if (bytes >= enough) socket.destroy();
}).on('error', () => {}).on('close', () => server.close(() => console.log(JSON.stringify(times))))).listen(port, '0.0.0.0');
`;

/** What had arrived when: milliseconds and bytes. */
type Arrivals = [number, number][];

/** Lets a guest send to the host or receive from it until this much has arrived. */
async function transfer(from: Guest, direction: 'sends' | 'receives', bytes: number, address: string = addresses.ipv4): Promise<Arrivals> {
  const arrivals: Arrivals = [];
  let arrived = 0;
  const serve = (socket: Socket) => {
    socket.on('error', () => undefined).on('data', (data) => {
      arrivals.push([performance.now(), arrived += data.length]);
      if (arrived >= bytes) socket.destroy();
    });
    if (direction === 'receives') socket.end(Buffer.alloc(bytes));
  };
  const server = createServer(serve).listen(0, '::');
  await new Promise((resolve) => server.once('listening', resolve));
  const printed = await from.exec(process.execPath, '-e', peer, address, String((server.address() as AddressInfo).port), direction);
  server.close();
  return direction === 'sends' ? arrivals : JSON.parse(printed) as Arrivals;
}

/** In kilobytes a second, of what arrived after the first `skipped` bytes. */
function speed(arrivals: Arrivals, skipped = 0): number {
  const [first, last] = [arrivals.find(([, bytes]) => bytes >= skipped)!, arrivals.at(-1)!];
  return (last[1] - first[1]) / (last[0] - first[0]);
}

/** Of 1514 bytes on the wire, which is what tc counts, TCP hands on these. */
const payload = { ipv4: 1448, ipv6: 1428 } as const;

/** What is asked and what is measured, both as on the wire, are no more than a tenth apart. */
function expectSpeed(arrivals: Arrivals, asked: number, family: 'ipv4' | 'ipv6' = 'ipv4'): void {
  const measured = speed(arrivals, 1_500_000) * 1514 / payload[family];
  expect(measured).toBeGreaterThan(asked * 0.9);
  expect(measured).toBeLessThan(asked * 1.1);
}

describe.each(['ipv4', 'ipv6'] as const)('guests of a network with bandwidth, over %s', (family) => {
  it('receive as fast as it says', async () => {
    const one = await start("<inbound average='1500'/><outbound average='1000'/>");
    expectSpeed(await transfer(one, 'receives', 5_000_000, addresses[family]), 1500, family);
  });

  it('send as fast as it says', async () => {
    const one = await start("<inbound average='1500'/><outbound average='1000'/>");
    expectSpeed(await transfer(one, 'sends', 4_500_000, addresses[family]), 1000, family);
  });
});

describe('the bandwidth of a network', () => {
  it('gives a burst at the peak, and then the average', async () => {
    const one = await start("<inbound average='600' peak='6000' burst='3000'/>");
    const arrivals = await transfer(one, 'receives', 5_000_000);
    const burst = arrivals.filter(([, bytes]) => bytes < 2_700_000);
    expect(speed(burst)).toBeGreaterThan(4500);
    expect(speed(burst)).toBeLessThan(6600);
    const after = speed(arrivals, 3_500_000) * 1514 / payload.ipv4;
    expect(after).toBeGreaterThan(540);
    expect(after).toBeLessThan(660);
  });

  it('that is inbound alone does not hold what guests send, nor the other way round', async () => {
    const receiver = await start("<inbound average='1000'/>");
    expect(speed(await transfer(receiver, 'sends', 5_000_000))).toBeGreaterThan(5000);
    await stop();
    const sender = await start("<outbound average='1000'/>");
    expect(speed(await transfer(sender, 'receives', 5_000_000))).toBeGreaterThan(5000);
  });

  it('is not between guests', async () => {
    const one = await start("<inbound average='500'/><outbound average='500'/>");
    const other = await lab.guest('lab-measured', 'neighbour');
    await other.setAddress('10.88.1.8/24');
    const counting = other.exec(process.execPath, '-e', counter, '9999', '5000000');
    await until('the neighbour', async () => (await other.exec('ss', '-ltn')).includes(':9999'));
    await one.exec(process.execPath, '-e', peer, '10.88.1.8', '9999', 'sends');
    expect(speed(JSON.parse(await counting) as Arrivals)).toBeGreaterThan(5000);
    await other.close();
  });

  it('goes with the network, also when the daemon that set it is another', async () => {
    const before = await links();
    await start("<inbound average='500' peak='600' burst='10'/><outbound average='500'/>");
    expect(await links()).not.toEqual(before);
    await guest?.close();
    const later = await openLabHost(lab);
    await later.tearDown(up!, { forget: true });
    await later.close();
    expect(await links()).toEqual(before);
  });

  it('that cannot be set leaves nothing', async () => {
    const before = await links();
    for (const refused of [['htb'], ['clsact'], ['police', 'ifb'], ['police', 'link set dev vnb'], ['police', 'redirect']]) {
      const poor = await openLabHost(lab, { commands: refusing(refused) });
      const network = plan("<inbound average='500'/><outbound average='500'/>");
      await expect(poor.bringUp(network)).rejects.toMatchObject({ code: ErrorCode.INTERNAL_ERROR, message: expect.stringContaining('made to fail') });
      await poor.close();
      expect(await links(), refused.join()).toEqual(before);
    }
  });
});

/** A door behind which the kernel refuses what has one of these words, after it has done what comes before. */
function refusing(words: string[]): Commands {
  const real = openCommands();
  const run: Commands['run'] = async (tool, argv, { input = '', ...options } = {}) => {
    const lines = input.split('\n');
    const refused = lines.findIndex((line) => words.some((word) => line.includes(word)));
    if (tool === 'nft' || refused < 0) return real.run(tool, argv, { input, ...options });
    await real.run(tool, argv, { input: lines.slice(0, refused).join('\n'), ...options });
    throw new CommandError(tool, `made to fail\nCommand failed -:${refused + 1}`);
  };
  return { ...real, run };
}

/** The names of all interfaces, each with its queues. */
async function links(): Promise<string[]> {
  const shown = JSON.parse(await runProgram('tc', ['-json', 'qdisc', 'show'])) as { dev: string; kind: string }[];
  return [...await interfaces(), ...shown.map(({ dev, kind }) => `${dev} ${kind}`)].sort();
}

async function interfaces(): Promise<string[]> {
  return (JSON.parse(await runProgram('ip', ['-json', 'link'])) as { ifname: string }[]).map(({ ifname }) => ifname);
}
