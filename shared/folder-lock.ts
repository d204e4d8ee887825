/**
 * Lives here: one at a time in a folder: a file with the process that is at
 * work there. Does not know: what is done.
 */
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrorCode, NetworkError } from './errors.js';

/** How often is looked whether it is one's turn, in milliseconds. */
const lookMs = 20;

/**
 * Does something while nobody else does in this folder. What a process that
 * was killed has left is taken over.
 *
 * @param patienceMs how long to wait for one's turn, in milliseconds
 * @throws {NetworkError} RESOURCE_BUSY if another process is at work
 */
export async function locked<T>(folder: string, work: () => Promise<T>, patienceMs = 0): Promise<T> {
  const path = join(folder, '.lock');
  await take(folder, path, performance.now() + patienceMs);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(folder: string, path: string, deadline: number): Promise<void> {
  for (let takenOver = false; !await tried(folder, path);) {
    const owner = Number(await readFile(path, 'utf8').catch(() => ''));
    if (!takenOver && !isAlive(owner)) {
      takenOver = true;
      await rm(path, { force: true });
    } else if (performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, lookMs));
    else throw new NetworkError(ErrorCode.RESOURCE_BUSY, `process ${owner} is at work there`, { hint: `if it is not: rm ${path}` });
  }
}

/** Whether it is one's turn now. */
async function tried(folder: string, path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot write to ${folder}: ${message}`, { hint: 'as root, or in a folder of your own: --dir DIR', cause: error });
  }
}

/** An owner that has not written its number yet is one. */
function isAlive(pid: number): boolean {
  if (pid === 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
