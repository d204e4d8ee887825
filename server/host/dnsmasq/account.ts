/**
 * Lives here: which account dnsmasq runs as. Does not know: its configuration.
 */
import { readFile } from 'node:fs/promises';
import { accountIds } from '../../accounts.js';
import type { DnsmasqAccount } from './conf.js';

/** The accounts that are tried, the first that exists. */
const usual = ['dnsmasq', 'nobody'];

/**
 * Chooses an account without rights. In a user namespace that may not change
 * its groups there is only one account, and its root has no rights outside.
 *
 * @param wanted the configured account; empty for the usual ones
 */
export async function chooseAccount(wanted: string): Promise<DnsmasqAccount> {
  const groups = await readFile('/proc/self/setgroups', 'utf8').catch(() => 'allow');
  if (groups.trim() === 'deny') return { user: 'root', group: '' };
  for (const user of wanted === '' ? usual : [wanted]) {
    const ids = await accountIds(user);
    if (ids === undefined) continue;
    const group = await groupName(ids.gid);
    return group === undefined ? { user } : { user, group };
  }
  // dnsmasq says what is wrong with an account that is in no file.
  return { user: wanted === '' ? 'nobody' : wanted };
}

async function groupName(id: number): Promise<string | undefined> {
  const text = await readFile('/etc/group', 'utf8').catch(() => '');
  return text.split('\n').map((line) => line.split(':')).find(([, , gid]) => gid === String(id))?.[0];
}
