/**
 * Lives here: a soak: rounds in which clients make calls, guests come and go
 * and faults strike, all at the same time; and after each round, when nothing
 * is being done any more, a look whether everything is as the rules say. To be
 * run in a lab. Does not know: what a call, a fault or an invariant is.
 */
import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { EventKind } from '../../shared/gen/vnet/v1/network_driver.js';
import { openConnection, type Connection } from '../../client/connection.js';
import { openLab, runProgram } from '../lab/lab.js';
import { Actor } from './actor.js';
import { createLibraryClient, createProgramClient } from './clients.js';
import { openSoakDaemon, type SoakDaemon } from './daemon.js';
import { strike, type Target } from './faults.js';
import { Guests } from './guests.js';
import type { Operation } from './model.js';
import { createChooser } from './operations.js';
import { createRandom, type Random } from './random.js';
import { Report } from './report.js';
import { settle, type Owner } from './settle.js';
import { anchor, guestSite, sharedSites, sitesOf, type Site } from './sites.js';
import { Weather } from './weather.js';

/** How a soak is run. */
export interface SoakOptions {
  seed: number;
  /** In milliseconds; the round that has begun is brought to its end. */
  forMs: number;
  /** Where it tells how it goes. */
  say(line: string): void;
}

/** How long calls are made in a round, in milliseconds. */
const busyMs = { least: 3000, more: 4000 };

/** The longest that a client rests between two calls, in milliseconds: others use the machine too. */
const restMs = 80;

/** How often a client uses networks that others use too. */
const sharing = 0.15;

/** In so many rounds of as many the daemon is not ended, so that one that leaks is seen to. */
const calm = { rounds: 8, of: 16 };

/** The disk that holds all files of the daemon. */
const diskSize = '24m';

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs a soak. @returns the report's text, and what was not as it should be */
export async function runSoak({ seed, forMs, say }: SoakOptions): Promise<{ text: string; problems: readonly string[] }> {
  const lab = await openLab();
  const root = join(lab.folder, 'root');
  await mkdir(root);
  await runProgram('mount', ['-t', 'tmpfs', '-o', `size=${diskSize},mode=711`, 'tmpfs', root]);
  try {
    return await soak(root, lab.folder, { seed, forMs, say });
  } finally {
    await runProgram('umount', ['--lazy', root]);
    await lab.close();
  }
}

/** Everybody who takes part. */
interface Cast {
  owners: Owner[];
  guests: Guests;
  target: Target;
  weather: Weather;
  report: Report;
}

async function soak(root: string, folder: string, { seed, forMs, say }: SoakOptions): Promise<{ text: string; problems: readonly string[] }> {
  const endMs = performance.now() + forMs;
  const daemon = await openSoakDaemon(root);
  const [report, weather] = [new Report(seed, say), new Weather()];
  const cast = assemble(daemon, seed, report, weather, { root, folder });
  const observer = await openConnection(daemon.uris.unix);
  const watching = (async () => { for await (const { kind } of observer.watch()) report.happened(EventKind[kind]); })();
  try {
    for (const site of [anchor, guestSite]) await begin(cast.owners[0]!.actor, site);
    const bases = new Map();
    while (performance.now() < endMs) {
      const struck = await playRound(cast, seed, report.round += 1);
      await settle({ ...cast, root, daemon, observer, bases });
      await cast.guests.settle();
      await cast.guests.check().catch((error: unknown) => report.problem(`a guest has no network: ${error instanceof Error ? error.message : String(error)}`));
      const held = report.holdings.at(-1)?.held;
      say(`round ${report.round}: ${struck.join(', ') || 'no fault'}; ${held?.descriptors} descriptors, ${held?.children} programs, ${held?.residentMiB} MiB`);
    }
    for (const fault of daemon.faults) report.problem(fault);
    return { text: report.render(weather.counts, daemon.starts(), daemon.errors()), problems: report.problems };
  } finally {
    await cast.guests.close().catch(() => undefined);
    await endAll(observer).catch((error: unknown) => say(`networks are left: ${String(error)}`));
    await observer.close();
    await watching;
    await Promise.all(cast.owners.map(({ actor }) => actor.close()));
    await daemon.stop();
  }
}

/** Stops every network. */
async function endAll(connection: Connection): Promise<void> {
  for (const { network } of await connection.listAllNetworks({ active: true })) await network.destroy({ force: true });
}

/** Makes the cast: a client of each kind with networks of its own, and one with the networks that are always up, to which guests come. */
function assemble(daemon: SoakDaemon, seed: number, report: Report, weather: Weather, { root, folder }: { root: string; folder: string }): Cast {
  const { unix, tcp, tls } = daemon.uris;
  const library = (kind: string, uri: string, transport: string) => createLibraryClient(kind, `${uri}${uri.includes('?') ? '&' : '?'}transport=${transport}`);
  const clients = [
    library('unix session', unix, 'session'), library('unix unary', unix, 'unary'), library('tcp', tcp, 'session'), library('tls', tls, 'unary'), createProgramClient(unix),
  ];
  const host: Owner = { actor: new Actor('host', library('host', unix, 'session'), weather, report), sites: [anchor, guestSite], withDevices: false };
  const owners = clients.map((client, n): Owner => {
    const name = client.kind.replace(' ', '-');
    return { actor: new Actor(name, client, weather, report), sites: sitesOf(n, name), withDevices: client.kind !== 'program' };
  });
  return {
    owners: [host, ...owners], guests: new Guests(host.actor, createRandom(seed, 'guests'), folder),
    target: { root, daemon, random: createRandom(seed, 'faults') }, weather, report,
  };
}

/** Brings a network up that is to stay. */
async function begin(actor: Actor, site: Site): Promise<void> {
  await actor.act({ kind: 'define', site, contents: { title: site.name, hosts: [] } });
  await actor.act({ kind: 'start', site });
}

/** Lets everybody act at the same time, for a while. @returns which faults there were */
async function playRound({ owners, guests, target, weather }: Cast, seed: number, round: number): Promise<string[]> {
  const random = createRandom(seed, `round ${round}`);
  const untilMs = performance.now() + busyMs.least + random.below(busyMs.more);
  const calls = owners.slice(1).map((owner, n) => makeCalls(owner, n, createRandom(seed, `client ${n} in round ${round}`), round, untilMs));
  const visits = inTurn(1 + random.below(2), () => guests.move());
  const struck: string[] = [];
  const strikes = inTurn(1 + random.below(2), async () => {
    await wait(random.below(busyMs.least / 2));
    struck.push(await strike(target, weather, round % calm.of <= calm.rounds));
  });
  // Nobody is to act any more when the first failure is told.
  for (const outcome of await Promise.allSettled([...calls, visits, strikes])) if (outcome.status === 'rejected') throw outcome.reason;
  return struck;
}

async function inTurn(times: number, step: () => Promise<void>): Promise<void> {
  for (let count = 0; count < times; count += 1) await step();
}

async function makeCalls({ actor, sites }: Owner, number: number, random: Random, round: number, untilMs: number): Promise<void> {
  const chooseOwn = createChooser(random, sites, `${number}.${round}`);
  const chooseShared = createChooser(random, sharedSites, `${number}.${round}`);
  while (performance.now() < untilMs) {
    if (random.chance(sharing)) await actor.share(harmless(chooseShared({})));
    else await actor.act(chooseOwn(actor.model.likely));
    await wait(random.below(restMs));
  }
}

/** Calls that are answered the same whoever made which before, as far as it is known: ports of shared networks are nobody's to take away. */
function harmless(operation: Operation): Operation {
  return ['define', 'create', 'start', 'destroy', 'undefine', 'autostart', 'title'].includes(operation.kind) ? operation : { kind: 'look', site: operation.site };
}
