/**
 * Lives here: how many files this process may have open, and so how many
 * connections. Does not know: connections.
 */
import { readFile } from 'node:fs/promises';

/** What the daemon itself needs: its log, its stores, the pipes of the programs it runs, the sockets it listens on. */
const own = 96;

/** How many connections the process has descriptors for; without bound if that cannot be told. */
export async function spareDescriptors(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  return parseDescriptors(limits) - own;
}

/** The soft limit of open files in the text of /proc/PID/limits. */
export function parseDescriptors(text: string): number {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(text) ?? [];
  return soft === undefined ? Infinity : Number(soft);
}
