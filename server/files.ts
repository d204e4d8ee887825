/**
 * Lives here: files that are whole at every moment and, where it matters, stay
 * after a power loss. Does not know: what is in them.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, constants, fchmodSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** How a new file is opened: it is made here, wherever a link may point. */
const newFile = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_WRONLY;

/** How a file on its way in ends; readers of a folder pass such names over. */
export const temporarySuffix = '.tmp';

/**
 * Puts a file in place of what was there: written beside it and renamed. A
 * reader sees the old or the new content. For what is small and can be made
 * again: it may be lost with the power.
 *
 * @param mode the file's rights, whatever the umask
 */
export async function replaceFile(path: string, content: string, mode: number): Promise<void> {
  const temporary = temporaryOf(path);
  // It goes to memory. To have other threads do each of its steps takes five times as long, and hundreds of networks start at once.
  try {
    const file = openSync(temporary, newFile, mode);
    try {
      fchmodSync(file, mode);
      writeFileSync(file, content);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Puts a file in place of what was there, as {@link replaceFile}, and flushes file and folder: it stays. */
export async function writeDurably(path: string, content: string, mode = 0o600): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    await writeFlushed(temporary, content, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await flushFolder(dirname(path));
}

function temporaryOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 8)}${temporarySuffix}`);
}

async function writeFlushed(path: string, content: string, mode: number): Promise<void> {
  const file = await open(path, newFile, mode);
  try {
    await file.chmod(mode);
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
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

/** Makes a folder with these rights, whatever the umask (those above it are open to everyone), and clears files that never got in place. */
export async function prepareFolder(path: string, mode = 0o700): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await mkdir(path, { recursive: true, mode });
  await chmod(path, mode);
  await clearTemporary(path);
}

/** Removes files from a folder that never got in place. */
export async function clearTemporary(path: string): Promise<void> {
  for (const name of await readdir(path)) {
    if (name.startsWith('.') && name.endsWith(temporarySuffix)) await rm(join(path, name), { force: true });
  }
}
