/**
 * Lives here: what can befall a host and its daemon: each fault, and which
 * errors of calls it explains. Does not know: when they come.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../processes.js';
import { runProgram } from '../lab/place.js';
import type { Answer } from './clients.js';
import type { SoakDaemon } from './daemon.js';
import { dnsmasqOf, readLinks, readLive, type MarkedLink } from './observe.js';
import { descendantsOf, listProcesses } from './processes-of.js';
import type { Random } from './random.js';
import type { Weather } from './weather.js';

/** What faults strike. */
export interface Target {
  root: string;
  daemon: SoakDaemon;
  random: Random;
}

interface Fault {
  /** How often it comes, beside the others. */
  weight: number;
  /** How long it is felt when it is over, in milliseconds. */
  afterMs: number;
  /** The answers that it explains. */
  explains: RegExp;
  strike(target: Target): Promise<unknown>;
}

/** In the words of a client whose daemon went away. */
const lost = /^(RPC|NO_CONNECT|OPERATION_ABORTED|OPERATION_TIMEOUT)$/;

/** How long the daemon may take to put a bridge back that was removed, in milliseconds. */
const bridgeBackMs = 90_000;

/** So often in a minute one thing is struck: what is struck ever again is put right ever more rarely. */
const mostAMinute = 3;

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export const faults: Record<string, Fault> = {
  'vnetd killed': { weight: 5, afterMs: 0, explains: lost, strike: ({ daemon, random }) => daemon.restart('SIGKILL', random.below(400)) },
  'vnetd restarted': { weight: 2, afterMs: 0, explains: lost, strike: ({ daemon, random }) => daemon.restart('SIGTERM', random.below(400)) },
  'helper of vnetd killed': { weight: 2, afterMs: 2000, explains: /^$/, strike: killHelper },
  'dnsmasq killed': { weight: 4, afterMs: 1000, explains: /^$/, strike: killDnsmasq },
  'rules flushed': { weight: 3, afterMs: 1000, explains: /^INTERNAL_ERROR: .*nft/, strike: () => runProgram('nft', ['flush', 'ruleset']) },
  'bridge set down': { weight: 2, afterMs: 1000, explains: /^$/, strike: (target) => onBridge(target, (bridge) => ['link', 'set', bridge, 'down']) },
  'addresses flushed': { weight: 2, afterMs: 1000, explains: /^$/, strike: (target) => onBridge(target, (bridge) => ['addr', 'flush', 'dev', bridge]) },
  'bridge removed': { weight: 2, afterMs: 1000, explains: /there is no bridge|Cannot find device|No such device/, strike: removeBridge },
  'forwarding turned off': { weight: 2, afterMs: 0, explains: /^$/, strike: () => runProgram('sysctl', ['-qw', 'net.ipv4.ip_forward=0']) },
  'disk full': { weight: 3, afterMs: 0, explains: /No space left|ENOSPC/, strike: fillDisk },
};

/** When each thing was struck, as performance.now() has it. */
const struckMs = new Map<string, number[]>();

/** Lets a fault come that is chosen at random. @param spared the daemon is not ended */
export async function strike(target: Target, weather: Weather, spared: boolean): Promise<string> {
  const possible = Object.entries(faults).filter(([, { explains }]) => !spared || explains !== lost);
  const kind = target.random.pick(possible.flatMap(([name, { weight }]) => Array.from({ length: weight }, () => name)));
  const { afterMs, strike: work } = faults[kind]!;
  await weather.during(kind, () => work(target), afterMs);
  return kind;
}

/** Whether an answer is explained by faults of these kinds. */
export function explained({ answer, words }: Answer, kinds: readonly string[]): boolean {
  return kinds.some((kind) => faults[kind]!.explains.test(answer) || faults[kind]!.explains.test(`${answer}: ${words}`));
}

/** Whether an answer says that nobody knows what came of a call. */
export function isLost({ answer }: Answer): boolean {
  return lost.test(answer);
}

/** Whether a thing may be struck once more now. Takes note that it is. */
function mayStrike(thing: string): boolean {
  const recent = (struckMs.get(thing) ?? []).filter((ms) => ms > performance.now() - 60_000);
  if (recent.length >= mostAMinute) return false;
  struckMs.set(thing, [...recent, performance.now()]);
  return true;
}

async function killHelper({ daemon, random }: Target): Promise<void> {
  const helpers = descendantsOf(daemon.pid(), await listProcesses()).filter(({ command }) => /monitor|perl/.test(command));
  if (helpers.length > 0 && mayStrike('helper')) killIfThere(random.pick(helpers).pid);
}

async function killDnsmasq({ root, random }: Target): Promise<void> {
  const all = (await listProcesses()).filter(({ command }) => dnsmasqOf(root, command) !== undefined);
  const one = all.length === 0 ? undefined : random.pick(all);
  if (one !== undefined && mayStrike(one.command)) killIfThere(one.pid);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

async function chooseBridge({ random }: Target): Promise<MarkedLink | undefined> {
  const bridges = (await readLinks()).filter(({ bridge }) => bridge);
  const one = bridges.length === 0 ? undefined : random.pick(bridges);
  return one !== undefined && mayStrike(one.name) ? one : undefined;
}

async function onBridge(target: Target, argv: (bridge: string) => string[]): Promise<void> {
  const bridge = await chooseBridge(target);
  // Its network may be stopped at this moment.
  if (bridge !== undefined) await runProgram('ip', argv(bridge.name)).catch(() => undefined);
}

/** Removes a bridge, and waits until its network has it back or is stopped: a daemon that is killed before that gives the network up. */
async function removeBridge(target: Target): Promise<void> {
  const bridge = await chooseBridge(target);
  if (bridge === undefined) return;
  await runProgram('ip', ['link', 'delete', bridge.name]).catch(() => undefined);
  await until(`bridge ${bridge.name} is back`, async () =>
    (await readLinks()).some(({ uuid, up }) => uuid === bridge.uuid && up) || !(await readLive(target.root)).includes(bridge.uuid), bridgeBackMs);
}

/** Fills the disk that holds all files of the daemon, for a while. */
async function fillDisk({ root, random }: Target): Promise<void> {
  const file = join(root, 'full');
  await runProgram('dd', ['if=/dev/zero', `of=${file}`, 'bs=1M', 'status=none']).catch(() => undefined);
  await wait(500 + random.below(1500));
  await rm(file, { force: true });
}
