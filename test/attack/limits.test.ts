/**
 * Every limit of vnetd.toml, one by one: an attack that it stops while an honest
 * client is served, on a daemon that has no other limit within reach; and the
 * same attack on a daemon without that limit, which nothing stops. A limit
 * without an attack fails.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limitKeys } from '../../server/limits/limits.js';
import { sessionLimits } from '../../server/session/limits.js';
import { AttachRequest } from '../../shared/gen/vnet/v1/session.js';
import { scrape } from '../metrics.js';
import { until } from '../processes.js';
import { openServing, type Serving } from '../serving.js';
import { callFrame, FrameClient, Gate, openSessionServer } from '../session-server.js';
import { configWith, defineLarge, liveHonestly, outOfReach, reachedLimits, runAttack, type Lived, type Result } from './attacked.js';


/** An attack that one limit stops. */
interface Case {
  attack: string;
  way?: 'unix' | 'readonly' | 'tcp' | 'tls';
  connections?: number;
  /** The limit, so small that the attack reaches it. */
  limit: number;
  /** What else must be set for the attack to depend on this limit. */
  also?: Record<string, number>;
  /** The limit as if there were none, if not that of `outOfReach`, or the usual one. */
  none?: number;
  /**
   * What the metrics call it, if not by its key: of so many at once and so many a second, the first is named.
   * Empty: nobody is refused for it.
   */
  named?: string;
  /** Whether the attack was stopped. */
  stopped(result: Result, around: Around): boolean;
  /** New honest connections do not come by the way that is attacked, but by the read-write socket, or not at all. */
  newcomers?: 'unix' | 'none';
  /** How long it may take until everything of it is stopped, in seconds. */
  patience?: number;
}

/** What else is known of an attack. */
interface Around {
  lived: Lived;
  /** Limits that were reached, by name. */
  reached: string[];
  /** How often the document of a network was asked for. */
  dumps: number;
}

const cut = ({ opened, open }: Result) => opened > 0 && open === 0;
const keptOut = ({ opened, open }: Result) => open < opened;
const unanswered = ({ data }: Result) => data === 0;
const refused = ({ endedStreams }: Result, expected: number) => endedStreams >= expected;

/** The limits' keys, after the threat that each is against. */
const cases: Record<string, Case> = {
  'T15: connections': { attack: 'silent', way: 'unix', connections: 60, limit: 40, also: { connections_kept: 0 }, stopped: keptOut, newcomers: 'none' },
  // Without it the host's own people do not get in.
  'T15: connections_kept': { attack: 'silent', connections: 60, limit: 10, also: { connections: 40 }, none: 0, stopped: (_, { lived }) => lived.failures.length === 0, newcomers: 'unix' },
  'T15: connections_per_address': { attack: 'silent', connections: 60, limit: 20, stopped: keptOut },
  'T15: connections_per_user': { attack: 'silent', way: 'readonly', connections: 60, limit: 20, stopped: keptOut },
  'T12: unauthenticated': { attack: 'silent', connections: 60, limit: 20, stopped: keptOut },
  'T13: handshake_seconds': { attack: 'half-hello', way: 'tls', connections: 20, limit: 0.5, stopped: cut },
  'T12: first_call_seconds': { attack: 'preface-only', connections: 20, limit: 0.5, stopped: cut },
  'T12: idle_seconds': { attack: 'idle', limit: 0.5, stopped: cut },
  'T12: stalled_seconds': { attack: 'half-request', limit: 0.5, stopped: cut },
  'T16: failed_proofs': { attack: 'bad-tokens', way: 'tls', limit: 3, none: 1_000_000, stopped: cut },
  'T15: calls': { attack: 'watches', limit: 100, stopped: (result) => refused(result, 90) },
  'T15: calls_per_connection': { attack: 'watches', limit: 20, stopped: (result) => refused(result, 110) },
  // Without it they are refused beyond those of a connection.
  'T15: session_calls': { attack: 'session-calls', limit: 5, also: { calls_per_connection: 10 }, none: 1_000_000, named: '', stopped: (_, { reached }) => reached.length === 0 },
  // Whoever is refused is told; whoever is not is told nothing, of networks on which nothing happens.
  'T15: session_streams': { attack: 'session-streams', limit: 20, none: 1_000_000, stopped: ({ data }) => data > 0 },
  'T12: session_unsent_bytes': { attack: 'session-deaf', limit: 65_536, none: 1_073_741_824, also: { session_calls: 1 }, named: '', stopped: (_, { dumps }) => dumps <= 8 },
  'T10: message_bytes': { attack: 'large-requests', limit: 16_384, stopped: unanswered },
  'T10: readonly_message_bytes': { attack: 'large-requests', way: 'readonly', limit: 16_384, stopped: unanswered },
  'T10: response_bytes': { attack: 'large-answers', limit: 65_536, stopped: unanswered },
  'T14: header_bytes': { attack: 'much-metadata', limit: 4096, stopped: cut },
  'T14: header_pairs': { attack: 'many-fields', limit: 64, stopped: cut },
  'T10: unread_bytes': { attack: 'some-half-messages', limit: 2_097_152, stopped: cut },
  // The greatest goes, and the next, until the others have room.
  'T10: unread_bytes_in_all': { attack: 'some-half-messages', limit: 12_582_912, stopped: keptOut },
  'T12: unsent_bytes': { attack: 'no-reading', limit: 4_194_304, stopped: cut, patience: 2 },
  'T12: unsent_bytes_in_all': { attack: 'no-reading', limit: 16_777_216, stopped: keptOut, patience: 2 },
  'T14: resets': { attack: 'some-resets', limit: 100, stopped: cut },
  'T14: resets_per_second': { attack: 'steady-resets', limit: 10, also: { resets: 150 }, none: 100_000, named: 'resets', stopped: cut },
  'T14: control_frames': { attack: 'some-pings', limit: 100, stopped: cut },
  'T14: control_frames_per_second': { attack: 'steady-pings', limit: 10, also: { control_frames: 150 }, none: 100_000, named: 'control_frames', stopped: cut },
  'T14: overhead_bytes': { attack: 'some-strays', limit: 65_536, stopped: cut },
  'T14: overhead_bytes_per_second': { attack: 'steady-strays', limit: 1024, also: { overhead_bytes: 65_536 }, none: 10_000_000, named: 'overhead_bytes', stopped: cut },
};

function keyOf(title: string): string {
  return title.slice(title.indexOf(' ') + 1);
}

const root = process.getuid?.() === 0;

/** One that has no limit within reach. */
let unlimited: Serving;
/** What asks for the network `large`. */
const wantLarge = ['large-answers', 'no-reading', 'session-deaf'];
const open = async (limits: Record<string, number>, attack?: string) => {
  const serving = await openServing('test', { more: configWith({ ...outOfReach, ...limits }) });
  if (attack === undefined || wantLarge.includes(attack)) await defineLarge(serving).catch(async (error: unknown) => { await serving.close(); throw error; });
  return serving;
};
beforeAll(async () => { unlimited = await open({}); });
afterAll(async () => { await unlimited?.close(); });

/** Attacks a daemon, and tells whether it was stopped and which limits were reached. */
async function attacked({ daemon, uris }: Serving, { attack, way = 'tcp', connections, stopped, newcomers, patience = 1 }: Case) {
  const before = await reachedLimits(daemon);
  const honest = await liveHonestly(uris[way], newcomers === 'none' ? undefined : uris[newcomers ?? way]);
  const result = await runAttack(attack, uris[way], { seconds: 1, patience, connections, uid: way === 'readonly' && root ? 65_534 : undefined });
  const lived = await honest.end();
  const dumps = (await scrape(daemon)).all.get('vnetd_calls_total')?.samples.filter(({ labels }) => labels['method'] === 'NetworkDumpXml').reduce((sum, { value }) => sum + value, 0) ?? 0;
  const reached = [...await reachedLimits(daemon)].filter(([key, count]) => count > (before.get(key) ?? 0)).map(([key]) => key);
  const told = JSON.stringify({ result, calls: lived.ms.length, dumps, reached });
  return { stopped: stopped(result, { lived, reached, dumps }), reached, failures: lived.failures.map(String), told };
}

it('there is an attack for every limit', () => {
  expect([...Object.keys(cases).map(keyOf), 'session_waiting_calls'].sort()).toEqual(Object.keys(limitKeys).sort());
});

describe.each(Object.entries(cases))('%s', (title, one) => {
  const key = keyOf(title);
  const { limit, also = {}, none = outOfReach[key], named = key } = one;
  const special = Object.keys(also).length > 0 || (one.none !== undefined && one.none !== outOfReach[key]);
  // The accounts of root and of the daemon are not counted.
  const skipped = key === 'connections_per_user' && !root;

  it.skipIf(skipped)(`${title}: stops an attack, by its name, while the honest are served`, async () => {
    const serving = await open({ ...also, [key]: limit }, one.attack);
    try {
      const { stopped, reached, failures, told } = await attacked(serving, one);
      if (process.env['VNET_ATTACK_REPORT'] !== undefined) console.log(`${key}: ${told}`);
      expect({ stopped, reached, failures }, told).toEqual({ stopped: true, reached: named === '' ? [] : [named], failures: [] });
    } finally {
      await serving.close();
    }
  }, 60_000);

  it.skipIf(skipped)(`${title}: without it nothing does`, async () => {
    const serving = !special ? unlimited : await open({ ...also, ...(none === undefined ? {} : { [key]: none }) }, one.attack);
    try {
      const { stopped, reached, told } = await attacked(serving, one);
      if (process.env['VNET_ATTACK_REPORT'] !== undefined) console.log(`${key} without: ${told}`);
      expect({ stopped, named: reached.includes(named) }, told).toEqual({ stopped: false, named: false });
    } finally {
      if (serving !== unlimited) await serving.close();
    }
  }, 60_000);
});

describe('T15: session_waiting_calls', () => {
  /** How many of many calls the transport takes from one who makes them all while the first is being done, and what an honest one hears. */
  const flood = async (callsWaiting: number) => {
    const gate = new Gate();
    const server = await openSessionServer({
      numOfNetworks: async () => { await gate.pass(); return { count: 1 }; }, numOfDefinedNetworks: async () => ({ count: 2 }),
    }, { ...sessionLimits, callsWaiting });
    const [attacker, honest] = [new FrameClient(server.uri), new FrameClient(server.uri)];
    let taken = 0;
    // 10,000 bytes in a field that nobody knows.
    const padding = Buffer.concat([Buffer.from([0x7a, 0x90, 0x4e]), Buffer.alloc(10_000)]);
    for (let call = 0; call < all; call += 1) {
      const request = AttachRequest.fromPartial({ frames: [callFrame(call, 'NumOfNetworks', padding)] });
      attacker.stream.write(Buffer.from(AttachRequest.encode(request).finish()), () => { taken += 1; });
    }
    await until('the first are being done', async () => gate.begun >= sessionLimits.callsInFlight);
    // Until no more is taken.
    for (let before = -1; before !== taken;) {
      before = taken;
      for (let call = 0; call < 20; call += 1) {
        honest.send(callFrame(call, 'NumOfDefinedNetworks'));
        await honest.frame('response', (frame) => frame.call === call);
        honest.frames.length = 0;
      }
    }
    gate.open();
    attacker.close();
    honest.close();
    await server.close();
    return taken;
  };
  const all = 2000;

  it('keeps one who makes calls without end from filling the memory, while the honest are served', async () => {
    expect(await flood(20)).toBeLessThan(all / 2);
  });

  it('and without it nothing does', async () => {
    expect(await flood(1_000_000)).toBe(all);
  });
});
