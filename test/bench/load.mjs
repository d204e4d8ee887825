/**
 * Lives here: many clients for a long time: idle connections and busy ones on
 * the unix socket of a daemon, whose memory and descriptors are looked at.
 * Does not know: what is fast.
 *
 *     node test/bench/load.mjs SOCKET PID [--idle N] [--busy N] [--calls N | --seconds N] [--width N] [--unary N]
 *
 * Of each ten connections so many make their calls one by one as gRPC does, 2
 * unless told; the others are as vnet's own client makes them. Prints lines of
 * JSON: one each ten seconds, and at the end one with `over: true`, after all
 * connections are closed. For ten million calls:
 *
 *     node test/bench/load.mjs /run/vnet/vnet.sock $(pidof -s vnetd) --calls 10000000
 */
import { readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { connect } = await import(new URL('../../dist/client/connect.js', import.meta.url).href);

const { values, positionals: [socket = '', pid = ''] } = parseArgs({
  allowPositionals: true,
  options: Object.fromEntries(['idle', 'busy', 'calls', 'seconds', 'width', 'unary'].map((name) => [name, { type: 'string' }])),
});
const number = (name, usual) => Number(values[name] ?? usual);
const [idle, busy, width, unary, seconds] = [number('idle', 1000), number('busy', 100), number('width', 1), number('unary', 2), number('seconds', Infinity)];
const most = number('calls', Number.isFinite(seconds) ? Infinity : 100_000);

// Each is a connection of its own.
const open = (_, i) => connect(`vnet:///system?socket=${socket}${i % 10 < unary ? '&transport=unary' : ''}`);
const ask = ({ driver }) => driver.networkLookupByName({ name: 'default' });

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
  const some = await Promise.all(Array.from({ length: Math.min(50, idle - i) }, open));
  await Promise.all(some.map(ask));
  idlers.push(...some);
}
say({ clients: idlers.length });
const ticker = setInterval(say, 10_000);
let left = most;
const until = performance.now() + seconds * 1000;
const busyClients = await Promise.all(Array.from({ length: busy }, open));
await Promise.all(busyClients.flatMap((client) => Array.from({ length: width }, async () => {
  while (left > 0 && performance.now() < until) {
    left -= 1;
    await ask(client).then(() => { done += 1; }, () => { failed += 1; });
  }
})));
clearInterval(ticker);
say({ clients: idlers.length + busy });
await Promise.all(idlers.map(ask)).catch(() => { failed += 1; });
await Promise.all([...idlers, ...busyClients].map((client) => client.close()));
// The other side needs a moment to notice.
const deadline = performance.now() + 10_000;
const before = started.descriptors;
while (look().descriptors > before && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
say({ over: true });
process.exit(0);
