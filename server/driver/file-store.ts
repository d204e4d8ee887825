/**
 * Lives here: the store in files. Saved definitions are XML that a person can
 * read, live records are JSON:
 *
 *     ETC/networks/NAME.xml                 a saved definition
 *     ETC/networks/autostart/NAME.xml       a link to it: starts with the host
 *     ETC/networks/history/UUID/REV.xml     an earlier version of it
 *     RUN/networks/UUID.json                what is done on the host now
 *     RUN/ports/NETWORK.PORT.json           a port, by the UUIDs of both
 *     RUN/autostarted                       autostart is done since boot
 *
 * Does not know: what a definition says.
 */
import { access, lstat, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { flushFolder, prepareFolder, removeDurably, replaceFile, writeDurably } from '../files.js';
import { FileHistory } from './file-history.js';
import { formatHeading, LaterFormat, parseSaved, usualKeep, type Revised, type Version } from './history.js';
import type { LiveRecord, PortRecord, SavedDefinition, Store } from './store.js';

/** The version of the layout of live records and ports; a later daemon reads the earlier ones. */
const recordVersion = 1;

/** The longest file that is taken for a definition, in bytes. */
const largestFile = 4 * 1024 * 1024;

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
  /** Files of a later vnetd: they are left as they are. */
  private readonly later = new Set<string>();

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
    await this.clearMarks();
  }

  /**
   * Removes the autostart marks of networks that were undefined when their
   * daemon was killed: the next of that name would start with the host.
   */
  private async clearMarks(): Promise<void> {
    const saved = new Set(await readdir(this.networks));
    for (const mark of await readdir(this.autostart)) {
      if (mark.endsWith('.xml') && !saved.has(mark)) await removeDurably(join(this.autostart, mark));
    }
  }

  async load(): ReturnType<Store['load']> {
    const problems: string[] = [];
    const saved = await readAll(this.networks, '.xml', problems, async (name, text): Promise<SavedDefinition> =>
      ({ name, ...parseSaved(text), autostart: await exists(this.autostartFile(name)) }), this.later);
    const live = await readAll(this.live, '.json', problems, async (_, text) => parseLive(text), this.later);
    const ports = await readAll(this.ports, '.json', problems, async (_, text) => parsePort(text), this.later);
    return { fresh: this.fresh, autostarted: await exists(this.autostarted), saved, live, ports, problems };
  }

  async saveDefinition(name: string, xml: string, version?: Revised): Promise<void> {
    const file = this.definitionFile(name);
    await writing(`save network '${name}'`, async () => {
      if (version !== undefined) await this.versions.keepFile(file, safeFileName(version.uuid), version.stamp.revision);
      await writeDurably(file, formatHeading(version?.stamp) + xml);
    });
    if (version !== undefined) await this.versions.prune(version.uuid);
  }

  history(uuid: string): Promise<Version[]> {
    return this.versions.list(safeFileName(uuid));
  }

  async removeDefinition(name: string, uuid?: string): Promise<void> {
    await writing(`remove network '${name}'`, async () => {
      if (uuid !== undefined) await this.versions.keepFile(this.definitionFile(name), safeFileName(uuid), Infinity);
      await removeDurably(this.definitionFile(name));
      await removeDurably(this.autostartFile(name));
    });
    if (uuid === undefined) return;
    await this.versions.prune(uuid);
    // The definition is gone; a history too many is in nobody's way.
    await this.versions.forget(uuid).catch(() => undefined);
  }

  async setAutostart(name: string, autostart: boolean): Promise<void> {
    const link = this.autostartFile(name);
    await writing(`change autostart of network '${name}'`, async () => {
      await removeDurably(link);
      if (!autostart) return;
      await symlink(`../${name}.xml`, link);
      await flushFolder(this.autostart);
    });
  }

  async saveLive(record: LiveRecord): Promise<void> {
    const text = `${JSON.stringify({ version: recordVersion, ...record }, undefined, 2)}\n`;
    // Not flushed: after a power loss nothing of it stands, and a daemon that is killed leaves it whole all the same.
    await writing(`record network '${record.name}'`, () => replaceFile(this.liveFile(record.uuid), text, 0o600));
  }

  async removeLive(uuid: string): Promise<void> {
    await writing(`remove the record of network ${uuid}`, () => rm(this.liveFile(uuid), { force: true }));
  }

  async savePort(record: PortRecord): Promise<void> {
    const text = `${JSON.stringify({ version: recordVersion, ...record }, undefined, 2)}\n`;
    await writing(`record port ${record.uuid}`, () => writeDurably(this.portFile(record.network, record.uuid), text));
  }

  async removePort(network: string, uuid: string): Promise<void> {
    await writing(`remove the record of port ${uuid}`, () => removeDurably(this.portFile(network, uuid)));
  }

  async markAutostarted(): Promise<void> {
    await writing('record that autostart is done', () => writeDurably(this.autostarted, ''));
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
    if (!this.later.has(path)) return path;
    throw new NetworkError(ErrorCode.OPERATION_INVALID, `${path} was written by a later vnetd, and is left as it is`, {
      hint: 'run the later vnetd again, or move the file away and restart this one',
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

/** Reads every file of a folder with this ending; what cannot be read becomes a problem. */
async function readAll<T>(
  folder: string, ending: string, problems: string[], read: (name: string, text: string) => Promise<T>, later: Set<string>,
): Promise<T[]> {
  const entries = (await readdir(folder)).filter((entry) => entry.endsWith(ending)).sort();
  const found = await Promise.all(entries.map(async (entry) => {
    const path = join(folder, entry);
    try {
      const info = await lstat(path);
      if (!info.isFile()) throw new Error('it is no regular file');
      if (info.size > largestFile) throw new Error(`it is larger than ${largestFile} bytes`);
      return [await read(entry.slice(0, -ending.length), await readFile(path, 'utf8'))];
    } catch (error) {
      if (error instanceof LaterFormat) later.add(path);
      problems.push(`${path}: ${(error as Error).message}`);
      return [];
    }
  }));
  return found.flat();
}

function parseRecord<T>(text: string): T {
  const record = JSON.parse(text) as T & { version: number };
  const { version } = record;
  if (!Number.isInteger(version) || version < 1) throw new Error(`its version is ${version}; this vnetd reads versions from 1 to ${recordVersion}`);
  if (version > recordVersion) throw new LaterFormat(version, recordVersion);
  return record;
}

function parsePort(text: string): PortRecord {
  const { uuid, network, xml, attachment, state } = parseRecord<PortRecord>(text);
  return { uuid, network, xml, ...(attachment === undefined ? {} : { attachment }), state };
}

function parseLive(text: string): LiveRecord {
  const { uuid, name, bridge, state, xml, next, saved } = parseRecord<LiveRecord>(text);
  return { uuid, name, bridge, state, xml, ...(next === undefined ? {} : { next }), ...(saved === undefined ? {} : { saved }) };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

/** Does a write; what the system refuses becomes a SYSTEM_ERROR that says what was being done. */
async function writing(what: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (error instanceof NetworkError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const hint = code === 'ENOSPC' ? 'free some space on that disk' : code === 'EROFS' ? 'the file system is read-only' : undefined;
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot ${what}: ${message}`, { cause: error, hint });
  }
}
