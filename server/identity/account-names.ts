/**
 * Lives here: the names of accounts and of their groups, by number. Does not
 * know: who asks.
 *
 * The machine's files are looked at on every question. Where accounts come from
 * elsewhere too (LDAP, sssd), getent is asked and its answer is good for a
 * while: it costs a process.
 */
import { readFile, stat } from 'node:fs/promises';
import { openCommands, type Commands } from '../host/command.js';

/** An account as its names. */
export interface AccountNames {
  /** Undefined if the number belongs to no account. */
  user?: string;
  /** All its groups. */
  groups: readonly string[];
}

/** Looks accounts up. */
export interface AccountBook {
  /**
   * @param gid a group that counts whatever the books say, because the process has it
   */
  names(uid: number, gid: number): Promise<AccountNames>;
}

/** How long an answer of getent is good, and how long one may take, in milliseconds. */
const rememberMs = 30_000;
const patienceMs = 3_000;

/** Where accounts are kept. */
export interface AccountFiles {
  passwd: string;
  group: string;
  nsswitch: string;
}

const systemFiles: AccountFiles = { passwd: '/etc/passwd', group: '/etc/group', nsswitch: '/etc/nsswitch.conf' };

/** Opens the machine's accounts. */
export function openAccounts(files: AccountFiles = systemFiles, commands: Commands = openCommands()): AccountBook {
  const read = { passwd: rowsOf(files.passwd), group: rowsOf(files.group), nsswitch: rowsOf(files.nsswitch) };
  const remembered = new Map<string, { names: Promise<AccountNames>; until: number }>();
  const local = async (uid: number, gid: number): Promise<AccountNames> => {
    const [passwd, group] = await Promise.all([read.passwd(), read.group()]);
    const account = passwd.find(([, , number]) => number === String(uid));
    const [user, , , primary] = account ?? [];
    const groups = group.filter(([, , number, members = '']) =>
      number === String(gid) || (number !== undefined && number === primary) || (user !== undefined && members.split(',').includes(user)));
    return { ...(user === undefined ? {} : { user }), groups: groups.map(([name = '']) => name) };
  };
  const foreign = async (uid: number, gid: number): Promise<AccountNames> => {
    const key = `${uid}:${gid}`;
    const known = remembered.get(key);
    if (known !== undefined && known.until > performance.now()) return known.names;
    const names = askGetent(commands, uid, gid);
    if (remembered.size > 1000) remembered.clear();
    remembered.set(key, { names, until: performance.now() + rememberMs });
    return names;
  };
  return {
    names: async (uid, gid) => {
      if (!hasOtherSources(await read.nsswitch())) return local(uid, gid);
      const [mine, theirs] = await Promise.all([local(uid, gid), foreign(uid, gid)]);
      const user = mine.user ?? theirs.user;
      // An account of this machine's own is no other's namesake.
      const groups = mine.user === undefined || mine.user === theirs.user ? [...mine.groups, ...theirs.groups] : mine.groups;
      return { ...(user === undefined ? {} : { user }), groups: [...new Set(groups)] };
    },
  };
}

/** The rows of a file with colons, read again when it has changed. */
function rowsOf(path: string): () => Promise<string[][]> {
  let rows: string[][] = [];
  let state = '';
  return async () => {
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    const now = found === undefined ? 'none' : `${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`;
    if (now !== state) {
      const text = await readFile(path, 'utf8').catch(() => '');
      rows = text.split('\n').map((line) => line.split(':'));
      state = now;
    }
    return rows;
  };
}

/** Whether accounts or groups come from more than the files (and what systemd adds to them). */
function hasOtherSources(rows: string[][]): boolean {
  return rows.some(([database = '', sources = '']) => /^\s*(passwd|group|initgroups)\s*$/.test(database)
    && sources.replace(/#.*/, '').replace(/\[[^\]]*\]/g, ' ').split(/\s+/).some((source) => source !== '' && !['files', 'compat', 'systemd'].includes(source)));
}

async function askGetent(commands: Commands, uid: number, gid: number): Promise<AccountNames> {
  const ask = (...argv: string[]) => Promise.race([
    commands.read('getent', argv).catch(() => ''),
    new Promise<string>((resolve) => { setTimeout(() => resolve(''), patienceMs).unref(); }),
  ]);
  const [user = ''] = (await ask('passwd', String(uid))).split(':');
  // A line is the name, and then the numbers of all its groups.
  const numbers = user === '' ? [] : (await ask('initgroups', user)).trim().split(/\s+/).slice(1);
  const lines = (await ask('group', ...new Set([String(gid), ...numbers]))).split('\n');
  const groups = lines.map((line) => line.split(':')[0] ?? '').filter((name) => name !== '');
  return { ...(user === '' ? {} : { user }), groups };
}
