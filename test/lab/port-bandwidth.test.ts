/** How fast single guests receive and send, and what a promise is worth when others want the network too: measured with what arrives. */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Bandwidth } from '../../shared/definition/index.js';
import type { Host } from '../../server/driver/host.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { openLab, runProgram, type Lab } from './lab.js';
import { plugGuest, portPlan, portTraces, type PluggedGuest } from './port-plan.js';

const address = '10.95.0.1';
const network = planFrom(`<network><name>shares</name><uuid>4b6bd1a5-3c5e-4f0e-9f13-0000000000b1</uuid>
  <bridge name='lab-shares' stp='off' delay='0'/><dns enable='no'/><ip address='${address}' prefix='24'/><ip family='ipv6' address='fd00:95::1' prefix='64'/>
  <bandwidth><inbound average='3000'/></bandwidth></network>`);
const onBridge = { plug: { type: 'bridge', bridge: 'lab-shares', managed: true } } as const;

let lab: Lab;
let host: Host;
const guests: PluggedGuest[] = [];

beforeAll(async () => {
  lab = await openLab();
  host = await openLabHost(lab);
}, 400_000);

afterEach(async () => {
  for (const guest of guests.splice(0)) await guest.close();
  await host.tearDown(network, { forget: true });
});

afterAll(async () => {
  await host?.close();
  await lab?.close();
});

async function guest(number: number, bandwidth?: Bandwidth): Promise<PluggedGuest> {
  const one = await plugGuest(host, network, portPlan(number, { ...onBridge, ...(bandwidth === undefined ? {} : { bandwidth }) }));
  guests.push(one);
  await one.setAddress(`10.95.0.${number}/24`);
  await one.setAddress(`fd00:95::${number}/64`);
  return one;
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
socket.on('data', (data) => times.push([performance.timeOrigin + performance.now(), bytes += data.length])).on('error', () => {}).on('close', () => console.log(JSON.stringify(times)));
`;

/** What had arrived when: milliseconds, by the same clock in every guest, and bytes. */
type Arrivals = [number, number][];

/** Lets a guest send to the host or receive from it until this much has arrived. */
async function transfer(from: PluggedGuest, direction: 'sends' | 'receives', bytes: number, to = address): Promise<Arrivals> {
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
  const printed = await from.exec(process.execPath, '-e', peer, to, String((server.address() as AddressInfo).port), direction);
  server.close();
  return direction === 'sends' ? arrivals : JSON.parse(printed) as Arrivals;
}

/** Of 1514 bytes on the wire, which is what tc counts, TCP hands on 1448, over IPv6 1428. In kilobytes a second on the wire. */
function speed(arrivals: Arrivals, skipped = 0, payload = 1448): number {
  const [first, last] = [arrivals.find(([, bytes]) => bytes >= skipped)!, arrivals.at(-1)!];
  return (last[1] - first[1]) / (last[0] - first[0]) * 1514 / payload;
}

/** No more than a tenth apart. */
function expectSpeed(measured: number, asked: number): void {
  expect(measured).toBeGreaterThan(asked * 0.9);
  expect(measured).toBeLessThan(asked * 1.1);
}

describe('a guest with bandwidth', { timeout: 90_000 }, () => {
  it('receives and sends as fast as it says, and others as they like', async () => {
    await host.bringUp(network);
    const before = await portTraces();
    const one = await guest(2, { inbound: { average: 1500 }, outbound: { average: 1000 } });
    expectSpeed(speed(await transfer(one, 'receives', 4_000_000), 1_000_000), 1500);
    expectSpeed(speed(await transfer(one, 'sends', 4_000_000), 1_500_000), 1000);
    expectSpeed(speed(await transfer(one, 'receives', 4_000_000, 'fd00:95::1'), 1_000_000, 1428), 1500);
    const other = await guest(3);
    expect(speed(await transfer(other, 'sends', 4_000_000))).toBeGreaterThan(5000);
    for (const one of guests.splice(0)) await one.close();
    expect(await portTraces()).toEqual(before);
  });

  it('is held between guests too', async () => {
    await host.bringUp(network);
    const [one, other] = [await guest(2, { outbound: { average: 1000 } }), await guest(3)];
    const taken = other.exec(process.execPath, '-e', `let bytes = 0, first; const server = require('node:net').createServer((socket) => socket.on('data', (data) => {
      bytes += data.length; if (bytes < 1500000) first = [performance.now(), bytes];
      if (bytes > 4000000) { console.log((bytes - first[1]) / (performance.now() - first[0])); process.exit(); } })).listen(9999);`);
    await one.exec(process.execPath, '-e', `const go = () => require('node:net').createConnection(9999, '10.95.0.3').on('connect', function () { const give = () => { while (this.write(Buffer.alloc(16384))); }; this.on('drain', give); give(); this.on('close', () => process.exit()); }).on('error', () => setTimeout(go, 50)); go();`);
    expectSpeed(Number(await taken) * 1514 / 1448, 1000);
  });

  it('has its burst at the peak, and then the average', async () => {
    await host.bringUp(planWith("<inbound average='20000'/>"));
    const one = await guest(2, { inbound: { average: 600, peak: 6000, burst: 3000 } });
    const arrivals = await transfer(one, 'receives', 5_000_000);
    const burst = speed(arrivals.filter(([, bytes]) => bytes < 2_700_000));
    expect(burst).toBeGreaterThan(4500);
    expect(burst).toBeLessThan(6600);
    expectSpeed(speed(arrivals, 3_500_000), 600);
  });

  it('gets another while it runs', async () => {
    await host.bringUp(network);
    const one = await guest(2, { inbound: { average: 500 }, outbound: { average: 500 } });
    const changed = { ...one.port, bandwidth: { inbound: { average: 1500 }, outbound: { average: 1200 } } };
    await host.reshape(network, one.port, changed);
    expectSpeed(speed(await transfer(one, 'receives', 4_000_000), 1_000_000), 1500);
    expectSpeed(speed(await transfer(one, 'sends', 4_000_000), 1_500_000), 1200);
    const half = { ...one.port, bandwidth: { inbound: { average: 1000 } } };
    await host.reshape(network, changed, half);
    expectSpeed(speed(await transfer(one, 'receives', 4_000_000), 1_000_000), 1000);
    expect(speed(await transfer(one, 'sends', 4_000_000))).toBeGreaterThan(5000);
    await host.reshape(network, half, one.port);
    expectSpeed(speed(await transfer(one, 'sends', 3_000_000), 1_000_000), 500);
  });
});

function planWith(bandwidth: string) {
  const { definition } = planFrom(`<network><name>x</name><uuid>${network.uuid}</uuid><bridge name='x'/><bandwidth>${bandwidth}</bandwidth></network>`);
  return { ...network, definition: { ...network.definition, bandwidth: definition.bandwidth! } };
}

describe('a guest that is promised a part', { timeout: 120_000 }, () => {
  const promised: Bandwidth = { classId: 3, inbound: { floor: 2000 } };

  /** Two guests receive side by side; of each, how fast while the other did too. */
  async function contend(one: PluggedGuest, other: PluggedGuest, to = address): Promise<[number, number]> {
    const running = [transfer(one, 'receives', 8_000_000, to), transfer(other, 'receives', 8_000_000, to)] as const;
    const [a, b] = await Promise.all(running);
    const [from, until] = [Math.max(a[0]![0], b[0]![0]) + 800, Math.min(a.at(-1)![0], b.at(-1)![0])];
    return [a, b].map((arrivals) => speed(arrivals.filter(([time]) => time >= from && time <= until))) as [number, number];
  }

  it('gets it while another wants all, in both families, by whichever daemon', async () => {
    await host.bringUp(network);
    const before = await portTraces();
    const other = await guest(3);
    const one = await guest(2, promised);
    for (const to of [address, 'fd00:95::1']) {
      const [mine, others] = await contend(one, other, to);
      expectSpeed(mine, 2000);
      expectSpeed(others, 1000);
    }
    const classes = () => runProgram('tc', ['class', 'show', 'dev', 'lab-shares']);
    expect(await classes()).toMatch(/class htb 1:2 .* rate 8Mbit ceil 24Mbit/);
    expect(await classes()).toMatch(/class htb 1:3 .* rate 16Mbit ceil 24Mbit/);
    const later = await openLabHost(lab);
    const second = portPlan(4, { ...onBridge, bandwidth: { classId: 10, inbound: { floor: 500 } } });
    await later.attach(network, second);
    expect(await classes()).toMatch(/class htb 1:2 .* rate 4Mbit/);
    const less = { ...one.port, bandwidth: { classId: 3, inbound: { floor: 1000 } } };
    await later.reshape(network, one.port, less);
    expect(await classes()).toMatch(/class htb 1:2 .* rate 12Mbit/);
    await later.detach(network, second);
    expect(await classes()).toMatch(/class htb 1:2 .* rate 16Mbit/);
    await later.reshape(network, less, { ...less, bandwidth: {} });
    expect(await classes()).toMatch(/class htb 1:2 .* rate 24Mbit/);
    await later.close();
    for (const each of guests.splice(0)) await each.close();
    expect(await portTraces()).toEqual(before);
  });
});
