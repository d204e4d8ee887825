/**
 * Lives here: files that can be made again from a definition: whole at every
 * moment, but not flushed, since nothing is lost with them. Does not know:
 * what is in them.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, mkdir, open, rename, rm } from 'node:fs/promises';
import { ErrorCode, NetworkError } from '../../shared/errors.js';

/**
 * Puts a file in place of what was there. A reader sees the old or the new
 * content.
 *
 * @throws {NetworkError} SYSTEM_ERROR naming the file
 */
export async function replaceFile(path: string, content: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await writeNew(temporary, content, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
}

async function writeNew(path: string, content: string, mode: number): Promise<void> {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  const file = await open(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode);
  try {
    // Whatever the umask.
    await file.chmod(mode);
    await file.writeFile(content);
  } finally {
    await file.close();
  }
}

/** Makes a folder with these rights, whatever the umask. */
export async function openFolder(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true, mode });
  await chmod(path, mode);
}
