/**
 * Lives here: the earlier versions of saved definitions, in files:
 *
 *     ETC/networks/history/UUID/REV.xml     as it was saved, with its first line
 *
 * A version goes here before another takes its place: a daemon that is killed
 * in between leaves a copy of what is still saved, which the next save writes
 * again. Does not know: what a definition says.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { clearTemporary, flushFolder, prepareFolder, removeDurably, removeFile, removeFolder, writeDurably } from '../files.js';
import { formatHeading, outOfDate, parseSaved, unknownStamp, type Version } from './history.js';

/** How many networks that are not defined any more keep their history. */
const mostForgotten = 100;

/** The file in a history that says that its network is not defined any more. */
const forgotten = 'undefined';

/** The history in a folder. */
export class FileHistory {
  /** @param most how many versions of each definition; 0: none */
  constructor(private readonly folder: string, private readonly most: number) {}

  /** Clears what a daemon that was killed left on its way in. A history that cannot be read stays as it is. */
  async clear(): Promise<void> {
    const folders = await readdir(this.folder).catch(() => []);
    await Promise.all(folders.map((uuid) => clearTemporary(join(this.folder, uuid)).catch(() => undefined)));
  }

  /**
   * Keeps what a file says.
   *
   * @param text the file; undefined if there is none
   * @param next the revision that takes its place: what is not earlier is none to keep
   * @throws {LaterFormat} if a later vnetd wrote the file, which must then stay
   */
  async keep(text: string | undefined, uuid: string, next: number): Promise<void> {
    const known = await this.revisions(uuid);
    if (known.length > 0) await removeFile(join(this.folder, uuid, forgotten));
    if (text === undefined) return;
    const { xml, stamp = unknownStamp(Number.isFinite(next) ? next - 1 : Math.max(0, ...known) + 1) } = parseSaved(text);
    if (this.most === 0 || stamp.revision >= next || stamp.revision < 1) return;
    if (known.length === 0) await prepareFolder(this.folder);
    await prepareFolder(join(this.folder, uuid));
    await writeDurably(this.fileOf(uuid, stamp.revision), formatHeading(stamp) + xml);
    if (known.length > 0) return;
    await flushFolder(this.folder);
    await flushFolder(dirname(this.folder));
  }

  /** Removes the versions that are too many. What cannot be removed stays: it is in nobody's way. */
  async prune(uuid: string): Promise<void> {
    for (const revision of outOfDate(await this.revisions(uuid), this.most)) await removeDurably(this.fileOf(uuid, revision)).catch(() => undefined);
  }

  /** Marks the history of a network that is not defined any more, and removes the oldest such, all but {@link mostForgotten}. */
  async forget(uuid: string): Promise<void> {
    if ((await this.revisions(uuid)).length === 0) return;
    await writeDurably(join(this.folder, uuid, forgotten), '');
    const marks = await Promise.all((await readdir(this.folder)).map(async (one) =>
      stat(join(this.folder, one, forgotten)).then(({ mtimeMs }) => [{ one, since: mtimeMs }], () => [])));
    const tooMany = marks.flat().sort((a, b) => b.since - a.since).slice(mostForgotten);
    for (const { one } of tooMany) await removeFolder(join(this.folder, one));
  }

  /** Every version that is kept. One that cannot be read is left out. */
  async list(uuid: string): Promise<Version[]> {
    const versions = await Promise.all((await this.revisions(uuid)).map(async (revision) => {
      try {
        const { xml, stamp } = parseSaved(await readFile(this.fileOf(uuid, revision), 'utf8'));
        return [{ ...stamp ?? unknownStamp(revision), revision, xml }];
      } catch {
        return [];
      }
    }));
    return versions.flat();
  }

  private async revisions(uuid: string): Promise<number[]> {
    const names = await readdir(join(this.folder, uuid)).catch(() => []);
    return names.flatMap((name) => /^([1-9]\d{0,8})\.xml$/.exec(name)?.[1] ?? []).map(Number);
  }

  private fileOf(uuid: string, revision: number): string {
    return join(this.folder, uuid, `${revision}.xml`);
  }
}
