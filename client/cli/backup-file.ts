/**
 * Lives here: what a backup looks like: YAML that a person can read, change and
 * take apart. Does not know: networks, files.
 */
import { canonicalUuid } from '../../shared/address.js';
import { Exit, Failure } from './failure.js';

/** The version of the layout; a later vnet reads the earlier ones. */
export const backupFormat = 1;

/** A saved definition in a backup. */
export interface SavedNetwork {
  name: string;
  uuid: string;
  /** The revision that it had; undefined if the daemon does not count. */
  revision: number | undefined;
  autostart: boolean;
  xml: string;
}

/** A backup. */
export interface Backup {
  /** When it was taken, as ISO 8601. */
  taken: string;
  /** The host whose networks they are. */
  host: string;
  networks: SavedNetwork[];
}

/** A backup as text. */
export async function formatBackup({ taken, host, networks }: Backup): Promise<string> {
  const { stringify } = await import('yaml');
  const text = stringify({ format: backupFormat, taken, host, networks }, { lineWidth: 0, keepUndefined: false, blockQuote: 'literal' });
  return `# The saved networks of a host, from vnet backup. To put them back: vnet restore FILE\n${text}`;
}

/** Reads a backup. @throws {Failure} naming what is wrong; for one of a later vnet, too */
export async function parseBackup(text: string, label: string): Promise<Backup> {
  const { parse } = await import('yaml');
  const refuse = (why: string) => new Failure(`${label} is no backup that this vnet can read: ${why}`, { exit: Exit.USAGE });
  let read: unknown;
  try {
    read = parse(text, { maxAliasCount: 0 });
  } catch (error) {
    throw refuse((error as Error).message.split('\n')[0] ?? '');
  }
  if (!isTable(read)) throw refuse('it is no table');
  const { format, taken = '', host = '', networks } = read;
  if (typeof format !== 'number' || !Number.isInteger(format) || format < 1) throw refuse("it has no 'format'");
  if (format > backupFormat) throw refuse(`its format is version ${format}, of a later vnet; this one reads up to version ${backupFormat}`);
  if (!Array.isArray(networks)) throw refuse("it has no list 'networks'");
  const saved = networks.map((one, index) => networkOf(one) ?? refuse(`entry ${index + 1} of 'networks' lacks name, uuid, autostart or xml, or has another kind of value there`));
  const wrong = saved.find((one) => one instanceof Failure);
  if (wrong !== undefined) throw wrong;
  const good = saved as SavedNetwork[];
  for (const key of ['name', 'uuid'] as const) {
    const twice = good.find((one, index) => good.findIndex((other) => other[key] === one[key]) !== index);
    if (twice !== undefined) throw refuse(`two networks have the ${key} '${twice[key]}'`);
  }
  return { taken: String(taken), host: String(host), networks: good };
}

function networkOf(entry: unknown): SavedNetwork | undefined {
  if (!isTable(entry)) return undefined;
  const { name, uuid, revision, autostart, xml } = entry;
  const known = typeof uuid === 'string' ? canonicalUuid(uuid) : undefined;
  if (typeof name !== 'string' || known === undefined || typeof autostart !== 'boolean' || typeof xml !== 'string') return undefined;
  return { name, uuid: known, revision: typeof revision === 'number' ? revision : undefined, autostart, xml };
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
