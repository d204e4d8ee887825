/**
 * Lives here: many clients for a long time: idle connections and busy ones on
 * the unix socket of a daemon, whose memory and descriptors are looked at.
 * Does not know: what is fast.
 *
 *     node test/bench/load.mjs SOCKET PID [--idle N] [--busy N] [--calls N | --seconds N] [--width N]
 *
 * Prints lines of JSON: one each ten seconds, and at the end one with
 * `over: true`, after all connections are closed. For ten million calls:
 *
 *     node test/bench/load.mjs /run/vnet/vnet.sock $(pidof -s vnetd) --calls 10000000
 */
import { readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Client, credentials } from '@grpc/grpc-js';

const { values, positionals: [socket = '', pid = ''] } = parseArgs({
  allowPositionals: true,
  options: Object.fromEntries(['idle', 'busy', 'calls', 'seconds', 'width'].map((name) => [name, { type: 'string' }])),
});
const number = (name, usual) => Number(values[name] ?? usual);
const [idle, busy, width, seconds] = [number('idle', 1000), number('busy', 100), number('width', 1), number('seconds', Infinity)];
const most = number('calls', Number.isFinite(seconds) ? Infinity : 100_000);

const bytes = (value) => value;
const request = Buffer.concat([Buffer.from([0x0a, 7]), Buffer.from('default')]);
// A connection of its own for each: the library would share one.
const open = () => new Client(`unix:${socket}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
const ask = (client) => new Promise((resolve, reject) => {
  client.makeUnaryRequest('/vnet.v1.NetworkDriver/NetworkLookupByName', bytes, bytes, request, (error) => (error === null ? resolve() : reject(error)));
});

const began = performance.now();
let done = 0;
let failed = 0;
const look = (more = {}) => ({
  seconds: Math.round((performance.now() - began) / 100) / 10,
  calls: done, failed, perSecond: Math.round(done / ((performance.now() - began) / 1000)),
  rssMb: Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024),
  descriptors: readdirSync(`/proc/${pid}/fd`).length, ...more,
});
const say = (more) => console.log(JSON.stringify(look(more)));

const started = look({ clients: 0 });
console.log(JSON.stringify(started));
const idlers = [];
for (let i = 0; i < idle; i += 50) {
  const some = Array.from({ length: Math.min(50, idle - i) }, open);
  await Promise.all(some.map(ask));
  idlers.push(...some);
}
say({ clients: idlers.length });
const ticker = setInterval(say, 10_000);
let left = most;
const until = performance.now() + seconds * 1000;
const busyClients = Array.from({ length: busy }, open);
await Promise.all(busyClients.flatMap((client) => Array.from({ length: width }, async () => {
  while (left > 0 && performance.now() < until) {
    left -= 1;
    await ask(client).then(() => { done += 1; }, () => { failed += 1; });
  }
})));
clearInterval(ticker);
say({ clients: idlers.length + busy });
await Promise.all(idlers.map(ask)).catch(() => { failed += 1; });
for (const client of [...idlers, ...busyClients]) client.close();
// The other side needs a moment to notice.
const deadline = performance.now() + 10_000;
const before = started.descriptors;
while (look().descriptors > before && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
say({ over: true });
process.exit(0);
