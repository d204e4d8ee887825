/**
 * Lives here: the store in files. Saved definitions are XML that a person can
 * read, live records are JSON:
 *
 *     ETC/networks/NAME.xml                 a saved definition
 *     ETC/networks/autostart/NAME.xml       a link to it: starts with the host
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
import type { LiveRecord, PortRecord, SavedDefinition, Store } from './store.js';

/** Written above a saved definition, for the person who opens the file. */
const heading = '<!-- Saved by vnetd. While it runs, change this with: vnet edit NETWORK -->\n';

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
}

/** Opens the store in these folders, making them if they are missing. */
export async function openFileStore(folders: StoreFolders): Promise<Store> {
  const networks = join(folders.etc, 'networks');
  const fresh = !(await exists(networks));
  const { run } = folders;
  const store = new FileStore(networks, join(networks, 'autostart'), join(run, 'networks'), join(run, 'ports'), join(run, 'autostarted'), fresh);
  await store.prepare();
  return store;
}

class FileStore implements Store {
  constructor(
    private readonly networks: string,
    private readonly autostart: string,
    private readonly live: string,
    private readonly ports: string,
    private readonly autostarted: string,
    private readonly fresh: boolean,
  ) {}

  async prepare(): Promise<void> {
    for (const folder of [this.networks, this.autostart, this.live, this.ports]) await prepareFolder(folder);
  }

  async load(): ReturnType<Store['load']> {
    const problems: string[] = [];
    const saved = await readAll(this.networks, '.xml', problems, async (name, text): Promise<SavedDefinition> =>
      ({ name, xml: text, autostart: await exists(this.autostartFile(name)) }));
    const live = await readAll(this.live, '.json', problems, async (_, text) => parseLive(text));
    const ports = await readAll(this.ports, '.json', problems, async (_, text) => parsePort(text));
    return { fresh: this.fresh, autostarted: await exists(this.autostarted), saved, live, ports, problems };
  }

  async saveDefinition(name: string, xml: string): Promise<void> {
    await writing(`save network '${name}'`, () => writeDurably(this.definitionFile(name), heading + xml));
  }

  async removeDefinition(name: string): Promise<void> {
    await writing(`remove network '${name}'`, async () => {
      await removeDurably(this.definitionFile(name));
      await removeDurably(this.autostartFile(name));
    });
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
    return join(this.networks, `${safeFileName(name)}.xml`);
  }

  private autostartFile(name: string): string {
    return join(this.autostart, `${safeFileName(name)}.xml`);
  }

  private portFile(network: string, uuid: string): string {
    return join(this.ports, `${safeFileName(network)}.${safeFileName(uuid)}.json`);
  }

  private liveFile(uuid: string): string {
    return join(this.live, `${safeFileName(uuid)}.json`);
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
  folder: string, ending: string, problems: string[], read: (name: string, text: string) => Promise<T>,
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
      problems.push(`${path}: ${(error as Error).message}`);
      return [];
    }
  }));
  return found.flat();
}

function parseRecord<T>(text: string): T {
  const record = JSON.parse(text) as T & { version: number };
  if (record.version !== recordVersion) throw new Error(`its version is ${record.version}; this vnetd reads version ${recordVersion}`);
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
