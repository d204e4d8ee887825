/**
 * Lives here: the machine's accounts and groups, by name. Does not know: what
 * they are needed for.
 */
import { readFile } from 'node:fs/promises';

/** The number of a group in /etc/group, or undefined if there is none of that name. */
export async function groupId(name: string): Promise<number | undefined> {
  const [, , id] = await entry('/etc/group', name) ?? [];
  return id === undefined ? undefined : Number(id);
}

/** The user and group numbers of an account in /etc/passwd, or undefined if there is none of that name. */
export async function accountIds(name: string): Promise<{ uid: number; gid: number } | undefined> {
  const [, , uid, gid] = await entry('/etc/passwd', name) ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

async function entry(file: string, name: string): Promise<string[] | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').map((line) => line.split(':')).find(([first]) => first === name);
}
