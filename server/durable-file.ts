/**
 * Lives here: files that are whole at every moment and stay after a power
 * loss. Does not know: what is in them.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** How a file on its way in ends; readers of a folder pass such names over. */
export const temporarySuffix = '.tmp';

/**
 * Puts a file in place of what was there: written beside it, flushed, renamed,
 * and the folder flushed. A reader sees the old or the new content.
 */
export async function writeDurably(path: string, content: string, mode = 0o600): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}${temporarySuffix}`);
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  try {
    const file = await open(temporary, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await flushFolder(dirname(path));
}

/** Removes a file for good. Removing nothing is no error. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true });
  await flushFolder(dirname(path));
}

/** Makes the names in a folder survive a power loss. */
export async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Makes a folder (those above it are open to everyone), and clears files that never got in place. */
export async function prepareFolder(path: string, mode = 0o700): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await mkdir(path, { recursive: true, mode });
  for (const name of await readdir(path)) {
    if (name.startsWith('.') && name.endsWith(temporarySuffix)) await rm(join(path, name), { force: true });
  }
}
