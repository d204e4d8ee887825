/**
 * Lives here: the access table: what etc/vnet/access.toml may say, and what
 * holds where it says nothing. Does not know: who calls, what for.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { ConfigError, parseToml } from '../config.js';
import type { ListenerKind } from '../connections.js';
import { parseAlternativeName, parseFingerprint, parseSubject } from '../identity/certificate-pattern.js';
import { parsePattern } from './pattern.js';
import { permissions as known, shorthands, type Permission } from './permissions.js';
import type { Entry, Who } from './rights.js';

/** The largest table, in bytes. */
const largestBytes = 256 * 1024;

/** The ways in that an entry can name. */
const listeners: readonly ListenerKind[] = ['unix', 'unix-readonly', 'tcp', 'tls'];

const all = new Set<Permission>(shorthands.all);
const allAndAdmin = new Set<Permission>([...shorthands.all, 'admin']);

/**
 * What holds for each way in that no entry of the table names. By the
 * read-write socket root and the daemon's own account may do everything, and
 * the socket's group everything about networks; so may everyone whom the
 * socket's mode let in, if the kernel does not say who it is. The other socket is
 * for reading. tcp knows nobody and lets everyone do everything about networks.
 * tls is for those who are listed. Root keeps its rights in any case.
 *
 * @param group the read-write socket's group
 */
export function builtInEntries(group: string, named: ReadonlySet<ListenerKind>): Entry[] {
  const own = process.getuid?.() ?? 0;
  const entries: Entry[] = [{ who: { listeners: ['unix'], uids: [0] }, permissions: allAndAdmin }];
  const whole: Record<ListenerKind, Entry[]> = {
    unix: [
      { who: { listeners: ['unix'], uids: [own] }, permissions: allAndAdmin },
      { who: { listeners: ['unix'], groups: [group] }, permissions: all },
      { who: { listeners: ['unix'], nameless: true }, permissions: all },
    ],
    'unix-readonly': [{ who: { listeners: ['unix-readonly'] }, permissions: new Set(shorthands.read) }],
    tcp: [{ who: { listeners: ['tcp'] }, permissions: all }],
    tls: [],
  };
  return [...entries, ...listeners.flatMap((listener) => (named.has(listener) ? [] : whole[listener]))];
}

/**
 * Reads the access table. One that is not there says nothing.
 *
 * @param group the read-write socket's group
 * @throws {ConfigError} naming file, line and what is allowed; if others than
 * root, or the daemon's own account, may write it
 */
export async function loadTable(path: string, group: string): Promise<Entry[]> {
  const toml = await readTrusted(path);
  const entries = toml === undefined ? [] : parseTable(toml, path);
  return [...entries, ...builtInEntries(group, new Set(entries.flatMap(({ who }) => who.listeners ?? [])))];
}

async function readTrusted(path: string): Promise<string | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const refuse = (why: string): never => { throw new ConfigError(`${path}: ${why}`); };
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: NodeJS.ErrnoException) => (
    error.code === 'ENOENT' ? undefined : refuse(error.code === 'ELOOP' ? 'it is a symbolic link, which is not followed' : error.message)));
  if (file === undefined) return undefined;
  try {
    const info = await file.stat();
    const { uid, mode, size } = info;
    if (!info.isFile()) refuse('it is no regular file');
    if (uid !== 0 && uid !== process.getuid?.()) refuse(`it belongs to the account ${uid}, who could let anyone in; chown root ${path}`);
    if ((mode & 0o022) !== 0) refuse(`others may write it (mode ${(mode & 0o777).toString(8)}), and let themselves in; chmod go-w ${path}`);
    if (size > largestBytes) refuse(`it has ${size} bytes; at most ${largestBytes} are read`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** What a key of an entry may be, and what it sets. @throws Error saying what is wrong */
type Reader = (value: unknown, entry: Entry) => void;

const texts = (value: unknown): string[] => {
  const list = Array.isArray(value) ? value : [value];
  if (list.length === 0 || !list.every((item) => typeof item === 'string' && item !== '')) throw new Error('it must be a text, or a list of texts');
  return list as string[];
};
const condition = <Key extends keyof Who>(key: Key, read: (value: unknown) => Who[Key]): Reader => (value, { who }) => { who[key] = read(value); };

/** Every key of an entry. */
const readers: Record<string, Reader> = {
  user: condition('users', texts),
  group: condition('groups', texts),
  uid: condition('uids', (value) => {
    const list: unknown[] = Array.isArray(value) ? value : [value];
    if (list.length === 0 || !list.every((item) => Number.isInteger(item) && (item as number) >= 0)) throw new Error('it must be the number of an account, or a list of such');
    return list as number[];
  }),
  subject: condition('subjects', (value) => texts(value).map(parseSubject)),
  alternative_name: condition('alternativeNames', (value) => texts(value).map(parseAlternativeName)),
  fingerprint: condition('fingerprints', (value) => texts(value).map(parseFingerprint)),
  token: condition('tokens', (value) => texts(value).map(parsePattern)),
  listener: condition('listeners', (value) => texts(value).map((text) => {
    const listener = listeners.find((one) => one === text);
    if (listener === undefined) throw new Error(`it must be ${listeners.map((one) => `"${one}"`).join(', ')}`);
    return listener;
  })),
  everyone: (value) => {
    if (value !== true) throw new Error('it must be true, or be left out');
  },
  networks: (value, entry) => { entry.networks = texts(value).map((text) => ({ text, pattern: parsePattern(text) })); },
  rights: (value, entry) => { entry.permissions = new Set(texts(value).flatMap(permissionsNamed)); },
};

/** The keys that say whom an entry is about. */
const about = Object.keys(readers).filter((key) => key !== 'networks' && key !== 'rights');

function permissionsNamed(word: string): readonly Permission[] {
  if (Object.hasOwn(shorthands, word)) return shorthands[word as keyof typeof shorthands];
  const permission = known.find((one) => one === word);
  if (permission === undefined) throw new Error(`"${word}" is no right; there are ${[...Object.keys(shorthands), ...known].join(', ')}`);
  return [permission];
}

/**
 * Reads the text of an access table.
 *
 * @param source the text's name, for messages
 * @throws {ConfigError} naming everything that is wrong, each with its line
 */
export function parseTable(toml: string, source: string): Entry[] {
  const { allow = [], ...others } = parseToml(toml, source);
  const problems: { line: number; message: string }[] = Object.keys(others)
    .map((key) => ({ line: lineOf(toml, 0, key), message: `unknown key '${key}'; known: [[allow]]` }));
  const list: unknown[] = Array.isArray(allow) ? allow : [allow];
  const entries = list.map((table, i) => readEntry(table, (key, message) => problems.push({ line: lineOf(toml, i + 1, key), message })));
  if (problems.length > 0) {
    problems.sort((a, b) => a.line - b.line);
    throw new ConfigError(problems.map(({ line, message }) => `${source}:${line}: ${message}`).join('\n'));
  }
  return entries;
}

function readEntry(table: unknown, refuse: (key: string, message: string) => void): Entry {
  const entry: Entry = { who: {}, permissions: new Set() };
  if (typeof table !== 'object' || table === null || Array.isArray(table)) {
    refuse('allow', 'allow must be tables: [[allow]]');
    return entry;
  }
  for (const [key, value] of Object.entries(table)) {
    const read = Object.hasOwn(readers, key) ? readers[key] : undefined;
    if (read === undefined) {
      refuse(key, `unknown key '${key}'; known here: ${Object.keys(readers).join(', ')}`);
      continue;
    }
    try {
      read(value, entry);
    } catch (error) {
      refuse(key, `${key} is ${JSON.stringify(value)}; ${(error as Error).message}`);
    }
  }
  if (!Object.hasOwn(table, 'rights')) refuse('', "an entry needs 'rights'");
  if (!about.some((key) => Object.hasOwn(table, key))) refuse('', `an entry says whom it is about: ${about.join(', ')}`);
  return entry;
}

/** The line where a key of the n-th [[allow]] stands (0: above the first), or where that begins. */
function lineOf(toml: string, entry: number, key: string): number {
  let current = 0;
  let begins = 1;
  for (const [index, line] of toml.split('\n').entries()) {
    if (/^\s*\[\[\s*allow\s*\]\]/.test(line)) {
      current += 1;
      if (current === entry) begins = index + 1;
    }
    const [, name] = /^\s*\[*\s*([^=#[\]]+?)\s*(?:=|\])/.exec(line) ?? [];
    if (name?.replace(/["']/g, '') === key && (current === entry || entry === 0) && !/^\s*\[\[/.test(line)) return index + 1;
  }
  return begins;
}
