/**
 * Lives here: programs that a test starts and ends. Does not know: what they
 * do.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The folder of built programs. */
export const dist = new URL('../dist', import.meta.url).pathname.replace('/dist/dist', '/dist');

/** A new folder that others than its owner can pass through, and the way to remove it. */
export async function openFolder(parent = tmpdir()): Promise<{ path: string; close(): Promise<void> }> {
  const path = await mkdtemp(join(parent, 'vnet-test-'));
  await chmod(path, 0o711);
  return { path, close: () => rm(path, { recursive: true, force: true }) };
}

/** Waits until a probe gives something. @throws Error with the last failure when the time is over */
export async function until<T>(what: string, probe: () => Promise<T | undefined | false>, timeoutMs = 10_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found as T;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A daemon that a test started. */
export interface Daemon {
  process: ChildProcess;
  /** Every line it has logged. */
  log: Record<string, unknown>[];
  /** The URIs it listens on, by transport: unix, tcp, tls. */
  uris: Record<string, string>;
  /** Ends it as systemd does; gives its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/**
 * Starts the built vnetd and waits until it is ready.
 *
 * @param argv its arguments
 * @param command what to run it with, such as a wrapper that enters a namespace
 * @param timeoutMs how long it may take; the networks that start with the host are part of it
 */
export async function startDaemon(argv: string[], command: string[] = [process.execPath], timeoutMs = 60_000): Promise<Daemon> {
  const [program = '', ...before] = command;
  const child = spawn(program, [...before, join(dist, 'bin/vnetd.js'), ...argv], { stdio: ['ignore', 'inherit', 'pipe'] });
  const log: Record<string, unknown>[] = [];
  let rest = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) log.push(line.startsWith('{') ? JSON.parse(line) as Record<string, unknown> : { msg: line });
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  try {
    const ready = until('vnetd ready', async () => child.exitCode !== null || log.some(({ msg }) => msg === 'ready'), timeoutMs);
    await Promise.race([ready, ended.then((code) => { throw new Error(`vnetd ended with ${code}`); })]);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`vnetd did not start:\n${log.map((line) => JSON.stringify(line)).join('\n')}`, { cause: error });
  }
  const uris: Record<string, string> = {};
  for (const { msg, uri } of log) {
    if (msg !== 'listening' || typeof uri !== 'string') continue;
    const [, transport = ''] = /^vnet\+(\w+):/.exec(uri) ?? [];
    uris[uri.includes('-ro.sock') ? 'readonly' : transport] = uri;
  }
  return { process: child, log, uris, stop: async (signal = 'SIGTERM') => { child.kill(signal); return ended; } };
}
