/**
 * Lives here: files that are whole at every moment and, where it matters, stay
 * after a power loss. Does not know: what is in them.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, constants, fchmodSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { chmod, link, mkdir, open, readdir, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { step } from './step.js';

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
    step(`write ${path}`);
    const file = openSync(temporary, newFile, mode);
    try {
      fchmodSync(file, mode);
      writeFileSync(file, content);
    } finally {
      closeSync(file);
    }
    step(`rename ${path}`);
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
    step(`write ${path}`);
    await writeFlushed(temporary, content, mode);
    step(`rename ${path}`);
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

/** Removes a file; it may be back after a power loss. Removing nothing is no error. */
export async function removeFile(path: string): Promise<void> {
  step(`remove ${path}`);
  await rm(path, { force: true });
}

/** Removes a file for good. Removing nothing is no error. */
export async function removeDurably(path: string): Promise<void> {
  await removeFile(path);
  await flushFolder(dirname(path));
}

/** Removes a folder with all that is in it. Removing nothing is no error. */
export async function removeFolder(path: string): Promise<void> {
  step(`remove ${path}`);
  await rm(path, { recursive: true, force: true });
}

/** Gives a file a second name. @throws Error if there is something of that name */
export async function addName(path: string, name: string): Promise<void> {
  step(`link ${name}`);
  await link(path, name);
}

/** Gives a file another name, in place of what had it. Of two names of the same file both stay. */
export async function renameFile(path: string, name: string): Promise<void> {
  step(`rename ${name}`);
  await rename(path, name);
}

/** Makes a symbolic link that stays. */
export async function linkDurably(target: string, path: string): Promise<void> {
  step(`link ${path}`);
  await symlink(target, path);
  await flushFolder(dirname(path));
}

/** Makes the names in a folder survive a power loss. */
export async function flushFolder(path: string): Promise<void> {
  step(`flush ${path}`);
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Makes a folder with these rights, whatever the umask (those above it are open to everyone), and clears files that never got in place. */
export async function prepareFolder(path: string, mode = 0o700): Promise<void> {
  step(`prepare ${path}`);
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  // One that is made with all above it is said to be missing where the file system is read-only.
  await mkdir(path, { mode }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await chmod(path, mode);
  await clearTemporary(path);
}

/** Removes files from a folder that never got in place. */
export async function clearTemporary(path: string): Promise<void> {
  for (const name of await readdir(path)) {
    if (name.startsWith('.') && name.endsWith(temporarySuffix)) await removeFile(join(path, name));
  }
}
