/**
 * Lives here: what every test of attacks needs: a network whose document is
 * large, honest clients, the attacking program, and what the daemon counted.
 * Does not know: which attacks there are, what is expected of them.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { connect, type ConnectedDriver } from '../../client/connect.js';
import { scrape } from '../metrics.js';
import type { Daemon } from '../processes.js';
import type { Serving } from '../serving.js';

const run = promisify(execFile);
const program = new URL('./attack.mjs', import.meta.url).pathname;

/** As if there were none: what is not here has no larger value than it takes to be out of reach. */
export const outOfReach: Readonly<Record<string, number>> = {
  connections: 100_000, connections_per_address: 100_000, connections_per_user: 100_000, unauthenticated: 100_000,
  handshake_seconds: 1000, first_call_seconds: 1000, stalled_seconds: 1000, idle_seconds: 1000,
  calls: 1_000_000, calls_per_connection: 100_000, header_bytes: 65_536, header_pairs: 1024,
  unread_bytes: 1_073_741_824, unread_bytes_in_all: 1_073_741_824, unsent_bytes: 1_073_741_824, unsent_bytes_in_all: 1_073_741_824,
  resets: 1_000_000, control_frames: 1_000_000, overhead_bytes: 1_073_741_824,
};

/** The lines of vnetd.toml with these limits, and with metrics. */
export function configWith(limits: Readonly<Record<string, number>>): string {
  return `[limits]\n${Object.entries(limits).map(([key, value]) => `${key} = ${value}\n`).join('')}[metrics]\nlisten = "127.0.0.1:0"\n`;
}

/** Defines the network `large`, whose document has some hundred thousand bytes. */
export async function defineLarge({ uris }: Serving): Promise<void> {
  const { driver, close } = await connect(uris.unix);
  const hosts = Array.from({ length: 4000 }, (_, i) => `<host mac='52:54:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}' ip='10.7.${(i >> 8) + 1}.${i & 255}'/>`);
  await driver.networkDefineXml({
    validate: true,
    xml: `<network><name>large</name><ip address='10.7.0.1' netmask='255.255.0.0'><dhcp>${hosts.join('')}</dhcp></ip></network>`,
  });
  await close();
}

/** What an honest client lived through. */
export interface Lived {
  /** How long each call took, the shortest first, in milliseconds. */
  ms: number[];
  failures: unknown[];
}

/**
 * Asks, call by call, as an honest client does: one connection that stays, and new ones now and then.
 *
 * @param coming by which URI new ones come; if undefined, none do
 */
export async function liveHonestly(staying: string, coming: string | undefined): Promise<{ end(): Promise<Lived> }> {
  const lived: Lived = { ms: [], failures: [] };
  let over = false;
  const timed = async (pauseMs: number, work: () => Promise<unknown>) => {
    const started = performance.now();
    await work().catch((error: unknown) => lived.failures.push(error));
    lived.ms.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  };
  const connection: ConnectedDriver = await connect(staying);
  const ask = () => connection.driver.networkLookupByName({ name: 'default' });
  // It was there before.
  await ask();
  const stays = (async () => {
    while (!over) await timed(10, ask);
    await connection.close();
  })();
  const comes = (async () => {
    while (!over && coming !== undefined) {
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
export async function reachedLimits(daemon: Daemon): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const { labels, value } of (await scrape(daemon)).all.get('vnetd_refused_total')?.samples ?? []) {
    found.set(labels['limit']!, (found.get(labels['limit']!) ?? 0) + value);
  }
  return found;
}

/** What became of an attack; see attack.mjs. */
export interface Result {
  opened: number;
  failed: number;
  ended: number;
  open: number;
  lastMs: number;
  said: Record<string, number>;
  sent: number;
  data: number;
  endedStreams: number;
  resetStreams: number;
}

/** Attacks. @param patience how long it waits in the end for the other side to end what is open, in seconds */
export async function runAttack(
  name: string, uri: string, { seconds, patience, connections, uid }: { seconds: number; patience: number; connections?: number | undefined; uid?: number | undefined },
): Promise<Result> {
  const argv = [program, name, uri, String(seconds), String(patience), ...(connections === undefined ? [] : [String(connections)])];
  const account = uid === undefined ? {} : { uid, gid: uid, cwd: '/' };
  const { stdout } = await run(process.execPath, argv, { timeout: (seconds + patience) * 1000 + 20_000, ...account });
  return JSON.parse(stdout.split('\n').at(-2)!) as Result;
}
