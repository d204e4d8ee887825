/**
 * Lives here: one at a time in a folder: a file with the process that is at
 * work there. Does not know: what is done.
 */
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrorCode, NetworkError } from '../../shared/errors.js';

/**
 * Does something while nobody else does in this folder. What a process that
 * was killed has left is taken over.
 *
 * @throws {NetworkError} RESOURCE_BUSY if another process is at work
 */
export async function locked<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, '.lock');
  await take(folder, path, true);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(folder: string, path: string, again: boolean): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(String(process.pid));
    await file.close();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot write to ${folder}: ${message}`, { hint: 'as root, or in a folder of your own: --dir DIR', cause: error });
    const owner = Number(await readFile(path, 'utf8').catch(() => ''));
    if (!again || isAlive(owner)) throw new NetworkError(ErrorCode.RESOURCE_BUSY, `process ${owner} is at work there`, { hint: `if it is not: rm ${path}` });
    await rm(path, { force: true });
    await take(folder, path, false);
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
