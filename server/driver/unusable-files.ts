/**
 * Lives here: reading the files of a store, and which of them could not be
 * used. Does not know: what is in them.
 */
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LaterFormat } from './history.js';
import type { DamagedFile } from './store.js';

/** The longest file that is taken for one of ours, in bytes. */
const largestFile = 4 * 1024 * 1024;

/** What to do about a definition that cannot be used. */
const damagedAdvice = 'mend it and restart vnetd, or define the network anew: the file is kept beside the new one';

/** What to do about a file of a later vnetd. */
export const laterAdvice = 'run the later vnetd again, or move the file away and restart this one';

/** The files of a store that could not be used. */
export class UnusableFiles {
  /** Files of a later vnetd: they are left as they are. */
  private readonly later = new Set<string>();
  private readonly byPath = new Map<string, DamagedFile>();

  /** Takes note of one. @param network the name of the network that it should define, if it should */
  note(path: string, network: string | undefined, why: string): void {
    const advice = this.later.has(path) ? laterAdvice : network === undefined ? undefined : damagedAdvice;
    this.byPath.set(path, { path, why, ...(network === undefined ? {} : { network }), ...(advice === undefined ? {} : { advice }) });
  }

  /** It has been replaced. */
  forget(path: string): void {
    this.byPath.delete(path);
  }

  /** Whether a later vnetd wrote it. */
  isLater(path: string): boolean {
    return this.later.has(path);
  }

  /** Whether it could not be used, and lies there still. */
  async has(path: string): Promise<boolean> {
    return this.byPath.has(path) && await isThere(path);
  }

  /** Those that lie there still, ordered by path. */
  async list(): Promise<DamagedFile[]> {
    const found = await Promise.all([...this.byPath.values()].map(async (one) => (await isThere(one.path) ? [one] : [])));
    return found.flat().sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /**
   * Reads every file of a folder with this ending; takes note of what cannot be read.
   *
   * @param defines whether each should define the network that it is named after
   */
  async readFolder<T>(folder: string, ending: string, defines: boolean, read: (name: string, text: string) => Promise<T>): Promise<T[]> {
    const entries = (await readdir(folder)).filter((entry) => entry.endsWith(ending)).sort();
    const found = await Promise.all(entries.map(async (entry) => {
      const path = join(folder, entry);
      const name = entry.slice(0, -ending.length);
      try {
        const info = await lstat(path);
        if (!info.isFile()) throw new Error('it is no regular file');
        if (info.size > largestFile) throw new Error(`it is larger than ${largestFile} bytes`);
        return [await read(name, await readFile(path, 'utf8'))];
      } catch (error) {
        if (error instanceof LaterFormat) this.later.add(path);
        this.note(path, defines ? name : undefined, (error as Error).message);
        return [];
      }
    }));
    return found.flat();
  }
}

/** The first name beside a file that is free: `lab.xml.damaged-1`. */
export async function nameBeside(path: string): Promise<string> {
  for (let n = 1; ; n += 1) {
    const name = `${path}.damaged-${n}`;
    if (!await isThere(name)) return name;
  }
}

/** Whether there is something of this name, be it a link to nowhere. */
async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(() => true, () => false);
}
