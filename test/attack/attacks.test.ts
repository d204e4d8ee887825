/**
 * Attacks on a daemon by every way in, while an honest client is served: each
 * attacker is stopped by the limit that is there for it, nobody honest notices.
 *
 * VNET_ATTACK_SECONDS=60 makes each attack that long, and from ten seconds on
 * it is measured how long the honest wait. VNET_UNDEFENDED=1 lets
 * the daemon run without limits: then every attack that names a limit must fail
 * its test, or the test proves nothing; but one-byte-frames and header-bomb,
 * which bounds stop that no configuration puts out of reach. For each limit
 * alone, limits.test.ts does it always.
 */
import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../processes.js';
import { openServing, type Serving } from '../serving.js';
import { configWith, defineLarge, liveHonestly, outOfReach, reachedLimits, runAttack, type Lived, type Result } from './attacked.js';

const seconds = Number(process.env['VNET_ATTACK_SECONDS'] ?? 1);
const undefended = process.env['VNET_UNDEFENDED'] !== undefined;

/** So short that a test can wait for it, and not so small that an honest client meets it. */
const limits = {
  connections: 400, connections_per_address: 200, unauthenticated: 60, handshake_seconds: 2, first_call_seconds: 2, stalled_seconds: 2,
  unread_bytes: 4_194_304, unsent_bytes: 16_777_216,
};

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

/** The attacks, each after its threat. */
const table: Record<string, Expected> = {
  'T12: silent': { limit: ['first_call_seconds', 'handshake_seconds', 'unauthenticated'], ends: true, waits: true },
  'T12: preface-only': { limit: ['first_call_seconds', 'handshake_seconds', 'unauthenticated'], ends: true, waits: true },
  'T13: half-hello': { limit: ['handshake_seconds', 'unauthenticated'], ends: true, waits: true, by: ['tls'] },
  'T12: headers-only': { limit: ['stalled_seconds'], ends: true, waits: true },
  'T12: half-request': { limit: ['stalled_seconds'], ends: true, waits: true },
  'T12: session-stuck': { limit: ['stalled_seconds'], ends: true, waits: true },
  'T12: no-window': { limit: ['stalled_seconds'], ends: true, waits: true },
  'T12: no-reading': { limit: ['unsent_bytes', 'stalled_seconds'], ends: true, stallMs: 2000 },
  'T11: one-byte-frames': { limit: ['overhead_bytes'], ends: true },
  'T14: rapid-reset': { limit: ['resets'], ends: true, stallMs: 2000 },
  'T14: ping': { limit: ['control_frames'], ends: true },
  'T14: ping-deaf': { limit: ['control_frames'], ends: true },
  'T14: settings': { limit: ['control_frames'], ends: true },
  'T14: continuation': { ends: true },
  'T14: empty-data': { ends: true },
  'T14: priority': { limit: ['overhead_bytes'], ends: true },
  'T14: unknown-frames': { limit: ['overhead_bytes'], ends: true },
  'T14: window-updates': { limit: ['overhead_bytes'], ends: true },
  'T14: window-overflow': { ends: true },
  'T14: header-bomb': { limit: ['header_pairs', 'header_bytes'], ends: true },
  'T14: header-bomb-acked': { limit: ['overhead_bytes', 'resets'], ends: true },
  'T14: many-headers': { limit: ['header_pairs'], ends: true },
  'T10: huge-message': { limit: ['overhead_bytes', 'resets', 'stalled_seconds'], ends: true, stallMs: 2000 },
  'T10: half-messages': { limit: ['unread_bytes'], ends: true },
  'T12: many-answers': { limit: ['unsent_bytes', 'stalled_seconds'], ends: true, stallMs: 2000 },
  'T10: gzip-bomb': {},
  'T15: connections': { limit: ['connections', 'connections_per_address', 'unauthenticated'], connections: 500 },
  'T14: bad-frames': {},
};

let serving: Serving;
/** One that nobody attacks, to know how slow this machine is at the moment. */
let control: Serving;
beforeAll(async () => {
  control = await openServing('test');
  serving = await openServing('test', { more: configWith(undefended ? outOfReach : limits) });
  await defineLarge(serving);
});
afterAll(async () => { await serving?.close(); await control?.close(); });

async function memory(): Promise<number> {
  const status = await readFile(`/proc/${serving.daemon.process.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
}

const descriptors = async () => (await readdir(`/proc/${serving.daemon.process.pid}/fd`)).length;

/** What came of an attack by one way. */
interface Outcome {
  way: Way;
  result: Result;
  lived: Lived;
  quiet: Lived;
}

/** Attacks by one way, while honest clients come by the same, and by the same to the other daemon. */
async function attack(name: string, way: Way, { connections, ends = false }: Expected): Promise<Outcome> {
  // Whoever floods the read-write socket had the right to; whoever floods another must not get in its way.
  const flood = name === 'connections';
  const uri = flood && way === 'unix' ? serving.uris.readonly : serving.uris[way];
  const honest = await liveHonestly(serving.uris[way], flood ? serving.uris.unix : serving.uris[way]);
  const elsewhere = await liveHonestly(control.uris[way], control.uris[way]);
  const result = await runAttack(name, uri, { seconds, patience: undefended ? 2 : ends || flood ? 10 : 1, connections });
  const [lived, quiet] = await Promise.all([honest.end(), elsewhere.end()]);
  return { way, result, lived, quiet };
}

const p99 = ({ ms }: Lived) => ms[Math.floor(ms.length * 0.99)]!;

describe('an honest client is served, and the attacker is stopped', () => {
  it.each(Object.entries(table))('%s', async (title, expected) => {
    const name = title.slice(title.indexOf(' ') + 1);
    const { limit, ends, waits, by = ways, stallMs = 200 } = expected;
    const before = await descriptors();
    const outcomes: Outcome[] = [];
    const reachedBy = async (some: readonly Way[]) => {
      const counted = await reachedLimits(serving.daemon);
      outcomes.push(...await Promise.all(some.map((way) => attack(name, way, expected))));
      return [...await reachedLimits(serving.daemon)].filter(([key, count]) => count > (counted.get(key) ?? 0)).map(([key]) => key);
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
