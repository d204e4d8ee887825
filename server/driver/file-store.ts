/**
 * Lives here: the store in files. Saved definitions are XML that a person can
 * read, live records are JSON:
 *
 *     ETC/networks/NAME.xml                 a saved definition
 *     ETC/networks/NAME.xml.damaged-N       what could not be used, and has been replaced
 *     ETC/networks/autostart/NAME.xml       a link to it: starts with the host
 *     ETC/networks/history/UUID/REV.xml     an earlier version of it
 *     RUN/networks/UUID.json                what is done on the host now
 *     RUN/ports/NETWORK.PORT.json           a port, by the UUIDs of both
 *     RUN/autostarted                       autostart is done since boot
 *
 * Does not know: what a definition says.
 */
import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { addName, flushFolder, linkDurably, prepareFolder, removeDurably, removeFile, renameFile, replaceFile, writeDurably } from '../files.js';
import { FileHistory } from './file-history.js';
import { formatHeading, LaterFormat, parseSaved, usualKeep, type Revised, type Version } from './history.js';
import type { DamagedFile, LiveRecord, PortRecord, SavedDefinition, Store } from './store.js';
import { laterAdvice, nameBeside, UnusableFiles } from './unusable-files.js';

/** The version of the layout of live records and ports; a later daemon reads the earlier ones. */
const recordVersion = 1;

/** Where a file store keeps its files. */
export interface StoreFolders {
  /** What outlives a boot, such as /etc/vnet. */
  etc: string;
  /** What a boot clears, such as /run/vnet. */
  run: string;
  /** How many earlier versions of each definition are kept; absent: {@link usualKeep}. */
  keep?: number;
}

/** Opens the store in these folders, making them if they are missing. */
export async function openFileStore(folders: StoreFolders): Promise<Store> {
  const networks = join(folders.etc, 'networks');
  const fresh = !(await exists(networks));
  const { run } = folders;
  const store = new FileStore(networks, join(networks, 'autostart'), join(run, 'networks'), join(run, 'ports'), join(run, 'autostarted'), fresh,
    new FileHistory(join(networks, 'history'), folders.keep ?? usualKeep));
  await store.prepare();
  return store;
}

class FileStore implements Store {
  private readonly unusable = new UnusableFiles();

  constructor(
    private readonly networks: string,
    private readonly autostart: string,
    private readonly live: string,
    private readonly ports: string,
    private readonly autostarted: string,
    private readonly fresh: boolean,
    private readonly versions: FileHistory,
  ) {}

  async prepare(): Promise<void> {
    for (const folder of [this.networks, this.autostart, this.live, this.ports]) await prepareFolder(folder);
    await this.versions.clear();
    await this.sweepMarks();
  }

  async load(): ReturnType<Store['load']> {
    const saved = await this.unusable.readFolder(this.networks, '.xml', true, async (name, text): Promise<SavedDefinition> =>
      ({ name, ...parseSaved(text), autostart: await exists(this.autostartFile(name)) }));
    const live = await this.unusable.readFolder(this.live, '.json', false, async (_, text) => parseLive(text));
    const ports = await this.unusable.readFolder(this.ports, '.json', false, async (_, text) => parsePort(text));
    return { fresh: this.fresh, autostarted: await exists(this.autostarted), saved, live, ports };
  }

  reject(name: string, why: string): void {
    this.unusable.note(join(this.networks, `${name}.xml`), name, why);
  }

  damaged(): Promise<DamagedFile[]> {
    return this.unusable.list();
  }

  async saveDefinition(name: string, xml: string, version?: Revised): Promise<string | undefined> {
    const file = this.definitionFile(name);
    const save = async (before: string | undefined) => {
      if (version !== undefined) await this.versions.keep(before, safeFileName(version.uuid), version.stamp.revision);
      await writeDurably(file, formatHeading(version?.stamp) + xml);
    };
    const kept = await writing(`save network '${name}'`, async () => {
      if (await this.unusable.has(file)) return this.keepBeside(name, () => save(undefined));
      const before = await readIfThere(file);
      await orElse(() => putBack(file, before), () => save(before));
      return undefined;
    });
    this.unusable.forget(file);
    if (version !== undefined) await this.versions.prune(version.uuid);
    return kept;
  }

  /**
   * Saves a definition in place of one that could not be used, which gets
   * another name first: at no moment is it lost, and until it is replaced it
   * is where it was. The new one has no mark of autostart. Gives the name.
   */
  private async keepBeside(name: string, save: () => Promise<void>): Promise<string> {
    const [file, mark] = [this.definitionFile(name), this.autostartFile(name)];
    const [aside, marked] = [await nameBeside(file), await exists(mark)];
    const undo = async () => {
      await renameFile(aside, file);
      // One file of two names keeps both.
      await removeFile(aside);
      if (marked && !await exists(mark)) await this.mark(name);
    };
    await addName(file, aside);
    await orElse(undo, async () => {
      await flushFolder(this.networks);
      await removeDurably(mark);
      await save();
    });
    return aside;
  }

  history(uuid: string): Promise<Version[]> {
    return this.versions.list(safeFileName(uuid));
  }

  async removeDefinition(name: string, uuid?: string): Promise<void> {
    const [file, mark] = [this.definitionFile(name), this.autostartFile(name)];
    await writing(`remove network '${name}'`, async () => {
      const [before, marked] = [await readIfThere(file), await exists(mark)];
      const undo = async () => {
        await putBack(file, before);
        if (marked && !await exists(mark)) await this.mark(name);
      };
      await orElse(undo, async () => {
        if (uuid !== undefined) await this.versions.keep(before, safeFileName(uuid), Infinity);
        await removeDurably(file);
        await removeDurably(mark);
      });
    });
    if (uuid === undefined) return;
    await this.versions.prune(uuid);
    // The definition is gone; a history too many is in nobody's way.
    await this.versions.forget(uuid).catch(() => undefined);
  }

  async setAutostart(name: string, autostart: boolean): Promise<void> {
    const mark = this.autostartFile(name);
    const [set, clear] = [() => this.mark(name), () => removeDurably(mark)];
    await writing(`change autostart of network '${name}'`, async () => {
      const marked = await exists(mark);
      if (marked !== autostart) await orElse(autostart ? clear : set, autostart ? set : clear);
    });
  }

  private async mark(name: string): Promise<void> {
    const mark = this.autostartFile(name);
    // One that leads nowhere would be in the way.
    await removeFile(mark);
    await linkDurably(`../${name}.xml`, mark);
  }

  async saveLive(record: LiveRecord): Promise<void> {
    const text = `${JSON.stringify({ version: recordVersion, ...record }, undefined, 2)}\n`;
    // Not flushed: after a power loss nothing of it stands, and a daemon that is killed leaves it whole all the same.
    await writing(`record network '${record.name}'`, () => replaceFile(this.liveFile(record.uuid), text, 0o600));
    this.unusable.forget(this.liveFile(record.uuid));
  }

  async removeLive(uuid: string): Promise<void> {
    await writing(`remove the record of network ${uuid}`, () => removeFile(this.liveFile(uuid)));
  }

  async savePort(record: PortRecord): Promise<void> {
    const text = `${JSON.stringify({ version: recordVersion, ...record }, undefined, 2)}\n`;
    await writing(`record port ${record.uuid}`, () => replaceFile(this.portFile(record.network, record.uuid), text, 0o600));
    this.unusable.forget(this.portFile(record.network, record.uuid));
  }

  async removePort(network: string, uuid: string): Promise<void> {
    await writing(`remove the record of port ${uuid}`, () => removeFile(this.portFile(network, uuid)));
  }

  async markAutostarted(): Promise<void> {
    await writing('record that autostart is done', () => writeDurably(this.autostarted, ''));
  }

  /** A daemon that was killed while it removed a definition may have left its mark, which another network of that name would have. */
  private async sweepMarks(): Promise<void> {
    await Promise.all((await readdir(this.autostart)).map(async (name) => {
      const mark = join(this.autostart, name);
      // What leads to nothing is not there for who follows it.
      if (!await exists(mark)) await removeFile(mark);
    }));
  }

  private definitionFile(name: string): string {
    return this.ours(join(this.networks, `${safeFileName(name)}.xml`));
  }

  private autostartFile(name: string): string {
    return join(this.autostart, `${safeFileName(name)}.xml`);
  }

  private portFile(network: string, uuid: string): string {
    return this.ours(join(this.ports, `${safeFileName(network)}.${safeFileName(uuid)}.json`));
  }

  private liveFile(uuid: string): string {
    return this.ours(join(this.live, `${safeFileName(uuid)}.json`));
  }

  /** The path of a file that may be replaced. @throws {NetworkError} OPERATION_INVALID if a later vnetd wrote it */
  private ours(path: string): string {
    if (!this.unusable.isLater(path)) return path;
    throw new NetworkError(ErrorCode.OPERATION_INVALID, `${path} was written by a later vnetd, and is left as it is`, {
      hint: laterAdvice,
    });
  }
}

/**
 * A name that can stand in a path. Names are checked where they come in; this
 * is the second look, at the place where it would hurt.
 */
function safeFileName(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\p{Cc}]/u.test(name) || Buffer.byteLength(name) > 200) {
    throw new NetworkError(ErrorCode.XML_DETAIL, `name ${JSON.stringify(name)} cannot be a file's name`);
  }
  return name;
}

function parseRecord<T>(text: string): T {
  const record = JSON.parse(text) as T & { version: number };
  const { version } = record;
  if (!Number.isInteger(version) || version < 1) throw new Error(`its version is ${version}; this vnetd reads versions from 1 to ${recordVersion}`);
  if (version > recordVersion) throw new LaterFormat(version, recordVersion);
  return record;
}

function parsePort(text: string): PortRecord {
  const { uuid, network, xml, attachment, state, next } = parseRecord<PortRecord>(text);
  return { uuid, network, xml, ...(attachment === undefined ? {} : { attachment }), state, ...(next === undefined ? {} : { next }) };
}

function parseLive(text: string): LiveRecord {
  const { uuid, name, bridge, state, xml, next, saved, cause } = parseRecord<LiveRecord>(text);
  return {
    uuid, name, bridge, state, xml, ...(next === undefined ? {} : { next }), ...(saved === undefined ? {} : { saved }), ...(cause === undefined ? {} : { cause }),
  };
}

/** Does something, and if that fails something else, whose own failure is nobody's concern any more. */
async function orElse(undo: () => Promise<void>, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await undo().catch(() => undefined);
    throw error;
  }
}

/** Makes a file what it was. What could not be written may be there all the same, if only the folder could not be flushed. */
async function putBack(path: string, before: string | undefined): Promise<void> {
  if (await readIfThere(path) === before) return;
  await (before === undefined ? removeFile(path) : replaceFile(path, before, 0o600));
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

/** Does a write; what the system refuses becomes a SYSTEM_ERROR that says what was being done. */
async function writing<T>(what: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof NetworkError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const hint = code === 'ENOSPC' ? 'free some space on that disk' : code === 'EROFS' ? 'the file system is read-only' : undefined;
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot ${what}: ${message}`, { cause: error, hint });
  }
}
