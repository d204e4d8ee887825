/**
 * Lives here: the processes of a lab, as /proc shows them. Does not know: who
 * should be there.
 */
import { readdir, readFile } from 'node:fs/promises';

/** A process at one moment. */
export interface Process {
  pid: number;
  parent: number;
  /** Its command line; its name in brackets if it has ended and nobody took note. */
  command: string;
  ended: boolean;
}

/** What a process holds. */
export interface Holdings {
  descriptors: number;
  children: number;
  residentMiB: number;
}

/** Every process there is. */
export async function listProcesses(): Promise<Process[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  // One that ends while it is looked at is not there.
  return (await Promise.all(pids.map((pid) => readProcess(pid).catch(() => [])))).flat();
}

async function readProcess(pid: number): Promise<Process[]> {
  const [stat, command] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile(`/proc/${pid}/cmdline`, 'utf8')]);
  const [, name = '', state = '', parent = ''] = /^\d+ \((.*)\) (\S) (\d+)/s.exec(stat) ?? [];
  return [{ pid, parent: Number(parent), command: command.replaceAll('\0', ' ').trim() || `[${name}]`, ended: state === 'Z' }];
}

/** All processes that a process started, and those that they did. */
export function descendantsOf(pid: number, all: readonly Process[]): Process[] {
  return all.filter(({ parent }) => parent === pid).flatMap((child) => [child, ...descendantsOf(child.pid, all)]);
}

/** What a process holds now. @throws Error if it is gone */
export async function readHoldings(pid: number, all: readonly Process[]): Promise<Holdings> {
  const [descriptors, statm] = await Promise.all([readdir(`/proc/${pid}/fd`), readFile(`/proc/${pid}/statm`, 'utf8')]);
  const pages = Number(statm.split(' ')[1]);
  return { descriptors: descriptors.length, children: descendantsOf(pid, all).length, residentMiB: Math.round(pages * 4096 / 2 ** 20) };
}
