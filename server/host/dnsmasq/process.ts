/**
 * Lives here: a dnsmasq as a process: whether it runs, starting, signalling
 * and stopping it. It is known by the pid it wrote and by its command line,
 * so that a number that is another program's by now is never signalled, and
 * so that a later daemon knows it too. Does not know: its configuration.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { removeFile, replaceFile, temporarySuffix } from '../../files.js';
import { step } from '../../step.js';
import { CommandError, type Commands } from '../command.js';
import { openGathering, type Gathering } from '../gather.js';
import type { DnsmasqFiles } from './conf.js';

/** Where a process leaves its traces. */
type Traces = Pick<DnsmasqFiles, 'conf' | 'pid'>;

/** How many are started in one call: who comes next waits for its end. */
const mostStarted = 64;

/** How long a dnsmasq may take until it serves. */
const timeToStartMs = 20_000;

/** How long a dnsmasq may take to end when asked, and when made to. */
const timeToEndMs = { SIGTERM: 3000, SIGKILL: 2000 } as const;

/**
 * Starts a dnsmasq, which puts itself in the background when it serves.
 *
 * @throws {NetworkError} INTERNAL_ERROR with its own words
 */
function startProcess(commands: Commands, traces: Traces): Promise<void> {
  return runDnsmasq(commands, [argumentOf(traces)]);
}

/**
 * Lets dnsmasq read a configuration before the one that runs is ended for it.
 *
 * @throws {NetworkError} INTERNAL_ERROR with its own words
 */
export async function testConf(commands: Commands, { conf }: Traces, text: string): Promise<void> {
  // A daemon that is killed leaves it to the next one, which clears such names.
  const draft = join(dirname(conf), `.${basename(conf)}.draft${temporarySuffix}`);
  try {
    await replaceFile(draft, text, 0o600).catch((cause: Error) => {
      throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot write ${draft}: ${cause.message}`, { cause });
    });
    await runDnsmasq(commands, ['--test', `--conf-file=${draft}`]);
  } finally {
    await removeFile(draft).catch(() => undefined);
  }
}

async function runDnsmasq(commands: Commands, argv: string[]): Promise<void> {
  try {
    await commands.run('dnsmasq', argv);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const words = error.words.replace(/^dnsmasq: /gm, '');
    throw new NetworkError(ErrorCode.INTERNAL_ERROR, `dnsmasq failed: ${words}`, { cause: error, hint: hintFor(words) });
  }
}

/**
 * Begins to start dnsmasqs, many in one call where many are asked for at once.
 * One whose start failed among others is started again alone, so that it says
 * its own words.
 *
 * @param atLeisure told when many are being started: nothing is done here meanwhile
 */
export function openStarts(commands: Commands, atLeisure?: () => void): Gathering<Traces> {
  return openGathering<Traces>(async (all) => {
    const [first, ...others] = all;
    if (first !== undefined && others.length === 0) return startProcess(commands, first);
    try {
      return await commands.run('dnsmasq', [], { each: all.map(argumentOf), timeoutMs: timeToStartMs * all.length, onBegun: atLeisure });
    } catch {
      // Whatever it was: what runs is known by looking, and what does not has another try.
      return startMissing(commands, all);
    }
  }, mostStarted);
}

async function startMissing(commands: Commands, all: readonly Traces[]): Promise<Map<Traces, unknown>> {
  const failures = new Map<Traces, unknown>();
  for (const traces of all) {
    if (await findProcess(traces) === undefined) await startProcess(commands, traces).catch((error: unknown) => failures.set(traces, error));
  }
  return failures;
}

function argumentOf({ conf }: Pick<Traces, 'conf'>): string {
  return `--conf-file=${conf}`;
}

function hintFor(words: string): string | undefined {
  return /Address already in use/.test(words)
    ? "another program serves DNS or DHCP there; find it with: ss -lnup '( sport = :53 or sport = :67 or sport = :547 )'" : undefined;
}

/** The pid of a dnsmasq that runs, or undefined. */
export async function findProcess({ conf, pid: pidFile }: Traces): Promise<number | undefined> {
  const text = readText(pidFile);
  if (!/^\d{1,10}\s*$/.test(text)) return undefined;
  const pid = Number(text);
  return isOurs(pid, conf) ? pid : undefined;
}

/** The command line of a process that has ended, or is ending, is empty. */
function isOurs(pid: number, conf: string): boolean {
  return readText(`/proc/${pid}/cmdline`).split('\0').includes(argumentOf({ conf }));
}

/**
 * Whether a process may still hold its sockets: the kernel takes its command
 * line first, then closes its files, and then only calls it ended.
 */
function holdsOn(pid: number, conf: string): boolean {
  const [, state = 'X'] = /\) (\w)/.exec(readText(`/proc/${pid}/stat`)) ?? [];
  if (state === 'Z' || state === 'X') return false;
  const line = readText(`/proc/${pid}/cmdline`);
  return line === '' || line.split('\0').includes(argumentOf({ conf }));
}

/** A file that is in memory: there is nothing to wait for. Empty if it is not there. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Makes a dnsmasq read its files again, if it runs. */
export async function reloadProcess(traces: Traces): Promise<void> {
  const pid = await findProcess(traces);
  if (pid !== undefined) signal(pid, 'SIGHUP');
}

/**
 * Ends a dnsmasq, if it runs, and waits until it is gone.
 *
 * @throws {NetworkError} INTERNAL_ERROR if it does not go
 */
export async function stopProcess(traces: Traces): Promise<void> {
  const pid = await findProcess(traces);
  if (pid !== undefined && !await ends(pid, traces.conf, 'SIGTERM') && !await ends(pid, traces.conf, 'SIGKILL')) {
    throw new NetworkError(ErrorCode.INTERNAL_ERROR, `dnsmasq with pid ${pid} does not end`);
  }
  await removeFile(traces.pid);
}

/** Whether a process ends in its time after a signal. The kernel tells no one but its parent, so it is asked. */
async function ends(pid: number, conf: string, name: keyof typeof timeToEndMs): Promise<boolean> {
  signal(pid, name);
  const deadline = performance.now() + timeToEndMs[name];
  for (let waitMs = 1; holdsOn(pid, conf); waitMs = Math.min(waitMs * 2, 50)) {
    if (performance.now() > deadline) return false;
    await delay(waitMs);
  }
  return true;
}

function signal(pid: number, name: NodeJS.Signals): void {
  step(`${name} dnsmasq`);
  try {
    process.kill(pid, name);
  } catch (error) {
    // Gone since it was looked at.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
