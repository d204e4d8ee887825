/**
 * Attacks on a daemon by every way in, while an honest client is served: each
 * attacker is stopped by the limit that is there for it, nobody honest notices.
 *
 * VNET_ATTACK_SECONDS=60 makes each attack that long, and from ten seconds on
 * it is measured how long the honest wait. VNET_UNDEFENDED=1 lets
 * the daemon run without limits: then every attack that names a limit must fail
 * its test, or the test proves nothing.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type ConnectedDriver } from '../../client/connect.js';
import { scrape } from '../metrics.js';
import { until } from '../processes.js';
import { openServing, type Serving } from '../serving.js';

const run = promisify(execFile);
const seconds = Number(process.env['VNET_ATTACK_SECONDS'] ?? 1);
const undefended = process.env['VNET_UNDEFENDED'] !== undefined;
const program = new URL('./attack.mjs', import.meta.url).pathname;

/** So short that a test can wait for it, and not so small that an honest client meets it. */
const limits = `[limits]
connections = 400
connections_per_address = 200
unauthenticated = 60
handshake_seconds = 2
first_call_seconds = 2
stalled_seconds = 2
unread_bytes = 4194304
unsent_bytes = 16777216
`;
/** As if there were none: what is not here has no larger value than it takes to be out of reach. */
const none = `[limits]
connections = 100000
connections_per_address = 100000
unauthenticated = 100000
handshake_seconds = 1000
first_call_seconds = 1000
stalled_seconds = 1000
idle_seconds = 1000
calls = 1000000
calls_per_connection = 100000
unread_bytes = 1073741824
unread_bytes_in_all = 1073741824
unsent_bytes = 1073741824
unsent_bytes_in_all = 1073741824
resets = 1000000
control_frames = 1000000
overhead_bytes = 1073741824
`;

type Way = 'unix' | 'tcp' | 'tls';
const ways: readonly Way[] = ['unix', 'tcp', 'tls'];

/** What is expected of an attack. */
interface Expected {
  /** Limits, one of which stops it; absent: Node's own bounds do, or there is nothing to stop. */
  limit?: string[];
  /** Every connection of it is ended. */
  ends?: boolean;
  /** It does nothing for long: all ways are attacked at once. */
  waits?: boolean;
  /** By which ways it makes a difference; absent: by all. */
  by?: Way[];
  connections?: number;
  /** How long it may keep everybody waiting once, in milliseconds: until what was read with its first packets is worked off. */
  stallMs?: number;
}

const table: Record<string, Expected> = {
  silent: { limit: ['first_call_seconds', 'handshake_seconds', 'unauthenticated'], ends: true, waits: true },
  'preface-only': { limit: ['first_call_seconds', 'handshake_seconds', 'unauthenticated'], ends: true, waits: true },
  'half-hello': { limit: ['handshake_seconds', 'unauthenticated'], ends: true, waits: true, by: ['tls'] },
  'headers-only': { limit: ['stalled_seconds'], ends: true, waits: true },
  'half-request': { limit: ['stalled_seconds'], ends: true, waits: true },
  'no-window': { limit: ['stalled_seconds'], ends: true, waits: true },
  'no-reading': { limit: ['unsent_bytes', 'stalled_seconds'], ends: true, stallMs: 2000 },
  'one-byte-frames': { limit: ['overhead_bytes'], ends: true },
  'rapid-reset': { limit: ['resets'], ends: true, stallMs: 2000 },
  ping: { limit: ['control_frames'], ends: true },
  'ping-deaf': { limit: ['control_frames'], ends: true },
  settings: { limit: ['control_frames'], ends: true },
  continuation: { ends: true },
  'empty-data': { ends: true },
  priority: { limit: ['overhead_bytes'], ends: true },
  'unknown-frames': { limit: ['overhead_bytes'], ends: true },
  'window-updates': { limit: ['overhead_bytes'], ends: true },
  'window-overflow': { ends: true },
  'header-bomb': { limit: ['overhead_bytes', 'resets'], ends: true },
  'many-headers': { limit: ['overhead_bytes', 'resets'], ends: true },
  'huge-message': { limit: ['overhead_bytes', 'resets', 'stalled_seconds'], ends: true, stallMs: 2000 },
  'half-messages': { limit: ['unread_bytes'], ends: true },
  'many-answers': { limit: ['unsent_bytes', 'stalled_seconds'], ends: true, stallMs: 2000 },
  'gzip-bomb': {},
  connections: { limit: ['connections', 'connections_per_address', 'unauthenticated'], connections: 500 },
  'bad-frames': {},
};

let serving: Serving;
/** One that nobody attacks, to know how slow this machine is at the moment. */
let control: Serving;
beforeAll(async () => {
  control = await openServing('test');
  serving = await openServing('test', { more: `${undefended ? none : limits}[metrics]\nlisten = "127.0.0.1:0"\n` });
  const { driver, close } = await connect(serving.uris.unix);
  const hosts = Array.from({ length: 4000 }, (_, i) => `<host mac='52:54:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}' ip='10.7.${(i >> 8) + 1}.${i & 255}'/>`);
  await driver.networkDefineXml({
    validate: true,
    xml: `<network><name>large</name><ip address='10.7.0.1' netmask='255.255.0.0'><dhcp>${hosts.join('')}</dhcp></ip></network>`,
  });
  await close();
});
afterAll(async () => { await serving?.close(); await control?.close(); });

/** What an honest client lived through. */
interface Lived {
  /** How long each call took, the shortest first, in milliseconds. */
  ms: number[];
  failures: unknown[];
}

/** Asks, call by call, as an honest client does: one connection that stays, and new ones now and then. */
function liveHonestly(staying: string, coming: string): { end(): Promise<Lived> } {
  const lived: Lived = { ms: [], failures: [] };
  let over = false;
  const timed = async (pauseMs: number, work: () => Promise<unknown>) => {
    const started = performance.now();
    await work().catch((error: unknown) => lived.failures.push(error));
    lived.ms.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  };
  const stays = (async () => {
    const connection: ConnectedDriver = await connect(staying);
    while (!over) await timed(10, () => connection.driver.networkLookupByName({ name: 'default' }));
    await connection.close();
  })();
  const comes = (async () => {
    while (!over) {
      await timed(50, async () => {
        const { driver, close } = await connect(coming);
        await driver.numOfNetworks({}).finally(close);
      });
    }
  })();
  return {
    end: async () => {
      over = true;
      await Promise.all([stays, comes]);
      lived.ms.sort((a, b) => a - b);
      return lived;
    },
  };
}

/** How often each limit was reached so far. */
async function counts(): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const { labels, value } of (await scrape(serving.daemon)).all.get('vnetd_refused_total')?.samples ?? []) {
    found.set(labels['limit']!, (found.get(labels['limit']!) ?? 0) + value);
  }
  return found;
}

async function memory(): Promise<number> {
  const status = await readFile(`/proc/${serving.daemon.process.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
}

const descriptors = async () => (await readdir(`/proc/${serving.daemon.process.pid}/fd`)).length;

/** What came of an attack by one way. */
interface Outcome {
  way: Way;
  result: { opened: number; ended: number; open: number; lastMs: number; said: Record<string, number> };
  lived: Lived;
  quiet: Lived;
}

/** Attacks by one way, while honest clients come by the same, and by the same to the other daemon. */
async function attack(name: string, way: Way, connections: number | undefined): Promise<Outcome> {
  // Whoever floods the read-write socket had the right to; whoever floods another must not get in its way.
  const flood = name === 'connections';
  const uri = flood && way === 'unix' ? serving.uris.readonly : serving.uris[way];
  const honest = liveHonestly(serving.uris[way], flood ? serving.uris.unix : serving.uris[way]);
  const elsewhere = liveHonestly(control.uris[way], control.uris[way]);
  const argv = [program, name, uri, String(seconds), '10', ...(connections === undefined ? [] : [String(connections)])];
  const { stdout } = await run(process.execPath, argv, { timeout: seconds * 1000 + 30_000 });
  const [lived, quiet] = await Promise.all([honest.end(), elsewhere.end()]);
  return { way, result: JSON.parse(stdout.split('\n').at(-2)!) as Outcome['result'], lived, quiet };
}

const p99 = ({ ms }: Lived) => ms[Math.floor(ms.length * 0.99)]!;

describe('an honest client is served, and the attacker is stopped', () => {
  it.each(Object.entries(table))('%s', async (name, { limit, ends, waits, by = ways, connections, stallMs = 200 }) => {
    const before = await descriptors();
    const outcomes: Outcome[] = [];
    const reachedBy = async (some: readonly Way[]) => {
      const counted = await counts();
      outcomes.push(...await Promise.all(some.map((way) => attack(name, way, connections))));
      return [...await counts()].filter(([key, count]) => count > (counted.get(key) ?? 0)).map(([key]) => key);
    };
    const reached: string[][] = [];
    for (const some of waits ? [by] : by.map((way) => [way])) reached.push(await reachedBy(some));
    const rss = await memory();
    for (const { way, result, lived, quiet } of outcomes) {
      const told = `${name} by ${way}: ${JSON.stringify(result)}; ${lived.ms.length} calls, p99 ${p99(lived).toFixed(1)} ms, elsewhere ${p99(quiet).toFixed(1)} ms; ${Math.round(rss / 1e6)} MB`;
      if (process.env['VNET_ATTACK_REPORT'] !== undefined) console.log(told);
      expect(result.opened, told).toBeGreaterThan(0);
      expect(lived.failures.map(String), told).toEqual([]);
      // In a second there are too few calls for a percentile: then nobody waits as long as if nothing stopped it.
      // On a machine that has other things to do, as much more as the other daemon needs: 20 ms are usual for it.
      if (seconds < 10) expect(lived.ms.at(-1), told).toBeLessThan(10_000);
      else expect(p99(lived), told).toBeLessThan(stallMs * Math.max(1, p99(quiet) / 20));
      if (ends) expect(result, told).toMatchObject({ open: 0 });
    }
    if (limit !== undefined) for (const each of reached) expect(each.filter((one) => limit.includes(one)), `${name} reached ${each.join(', ')}`).not.toEqual([]);
    expect(rss).toBeLessThan(400e6);
    await until('descriptors are free again', async () => await descriptors() <= before, 5000);
  }, 3 * (seconds * 1000 + 40_000));
});
