/**
 * Lives here: settings of the kernel that networks need as long as they stand:
 * what they were before, who needs them, and putting them back when nobody
 * does. Kept in a file that a boot clears, as it does the settings. Does not
 * know: what they are for.
 */
import { readFile } from 'node:fs/promises';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { removeFile, replaceFile } from '../files.js';
import { writeSysctl } from './sysctl.js';
import { openTurns } from './turns.js';

/** Settings that are put back. */
export interface Remembered {
  /**
   * Gives a key such as `ipv4/conf/eth0/proxy_arp` its value as long as somebody
   * needs it. Asking twice is the same as once.
   *
   * @param user who needs it: a network's UUID
   * @throws {NetworkError} SYSTEM_ERROR if there is no such key, or it cannot be written
   */
  need(user: string, key: string, value: string): Promise<void>;
  /** One needs nothing any more. What another program has set since then stays. */
  release(user: string): Promise<void>;
}

/** One setting. */
interface Setting {
  before: string;
  value: string;
  users: string[];
}

const root = '/proc/sys/net/';

/** Opens the memory in a file, whose folder is there. */
export function openRemembered(file: string): Remembered {
  const serial = openTurns();
  return {
    need: (user, key, value) => serial(() => need(file, user, key, value)),
    release: (user) => serial(() => release(file, user)),
  };
}

async function need(file: string, user: string, key: string, value: string): Promise<void> {
  const settings = await read(file);
  try {
    const setting = settings[key] ?? { before: (await readFile(root + key, 'utf8')).trim(), value, users: [] };
    // Remembered before it is changed: who is killed in between has changed nothing, or knows what it was.
    if (!setting.users.includes(user)) await write(file, { ...settings, [key]: { ...setting, users: [...setting.users, user] } });
    writeSysctl(key, value);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, missing ? `this host has no setting net/${key}` : `cannot write '${value}' to ${root}${key}: ${(error as Error).message}`, {
      hint: missing ? 'is the interface there? see it with: ip link' : 'the daemon must be root, and /proc/sys writable', cause: error,
    });
  }
}

async function release(file: string, user: string): Promise<void> {
  const settings = await read(file);
  const left: Record<string, Setting> = {};
  for (const [key, setting] of Object.entries(settings)) {
    const users = setting.users.filter((each) => each !== user);
    if (users.length > 0) left[key] = { ...setting, users };
    else await putBack(key, setting);
  }
  if (JSON.stringify(left) !== JSON.stringify(settings)) await write(file, left);
}

/** An interface that is gone has taken its settings along. */
async function putBack(key: string, { before, value }: Setting): Promise<void> {
  try {
    if (value !== before && (await readFile(root + key, 'utf8')).trim() === value) writeSysctl(key, before);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

async function read(file: string): Promise<Record<string, Setting>> {
  const text = await readFile(file, 'utf8').catch(() => '{}');
  return JSON.parse(text) as Record<string, Setting>;
}

async function write(file: string, settings: Record<string, Setting>): Promise<void> {
  if (Object.keys(settings).length === 0) await removeFile(file);
  else await replaceFile(file, `${JSON.stringify(settings, undefined, 1)}\n`, 0o600);
}
