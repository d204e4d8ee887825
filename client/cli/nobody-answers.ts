/**
 * Lives here: what can be seen from the client's side when no daemon answers:
 * the socket, the rights to it, the process. Does not know: how one connects.
 */
import { constants } from 'node:fs';
import { access, readdir, readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { NetworkError } from '../../shared/errors.js';
import { defaults, parseUri } from '../../shared/uri.js';
import type { Diagnosis } from '../diagnosis.js';
import { Failure } from './failure.js';

/**
 * Says why a daemon does not answer, as far as it shows here.
 *
 * @param failure what came of trying to connect
 */
export async function explainSilence(uri: string, readonly: boolean, failure: unknown): Promise<Diagnosis[]> {
  const cause = failure instanceof Failure && failure.cause !== undefined ? failure.cause : failure;
  const [message, hint] = cause instanceof NetworkError ? [cause.message, cause.hint] : [String(cause), undefined];
  const answer: Diagnosis = { severity: 'error', check: 'daemon', message: `no daemon answers at ${uri}: ${message}`, ...(hint === undefined ? {} : { advice: hint }) };
  const path = socketOf(uri, readonly);
  // Of a daemon on another machine nothing more shows here.
  return path === undefined ? [answer] : [answer, await lookAtProcess(), ...await lookAtSocket(path)];
}

function socketOf(uri: string, readonly: boolean): string | undefined {
  try {
    const parsed = parseUri(uri);
    return parsed.scheme === 'unix' ? parsed.socket ?? (readonly ? defaults.readonlySocket : defaults.socket) : undefined;
  } catch {
    return undefined;
  }
}

async function lookAtProcess(): Promise<Diagnosis> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const running = await Promise.all(pids.map(async (pid) => {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    return words.slice(0, 2).some((word) => /(^|\/)vnetd(\.js)?$/.test(word)) ? [pid] : [];
  }));
  const [pid] = running.flat();
  return pid === undefined
    ? { severity: 'error', check: 'daemon-process', message: 'vnetd does not run', advice: 'systemctl start vnetd, or as root: vnetd' }
    : { severity: 'ok', check: 'daemon-process', message: `vnetd runs (pid ${pid})` };
}

async function lookAtSocket(path: string): Promise<Diagnosis[]> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error.code);
  if (found === 'EACCES') return [{ severity: 'error', check: 'daemon-socket', message: `${userInfo().username} may not look into the folder of ${path}`, advice: `see its rights: namei -l ${path}` }];
  if (found === undefined || typeof found === 'string') {
    return [{ severity: 'error', check: 'daemon-socket', message: `there is no socket ${path}`, advice: 'start vnetd, or name its socket: vnet -c \'vnet+unix:///system?socket=PATH\' doctor' }];
  }
  if (!found.isSocket()) return [{ severity: 'error', check: 'daemon-socket', message: `${path} is no socket`, advice: `remove it and restart vnetd: rm ${path}` }];
  const may = await access(path, constants.R_OK | constants.W_OK).then(() => true, () => false);
  return [may ? { severity: 'ok', check: 'daemon-socket', message: `${path} is there and may be opened` } : {
    severity: 'error', check: 'daemon-socket', message: `${userInfo().username} may not open ${path}`,
    advice: `join its group: usermod -aG vnet ${userInfo().username}, then log in again; or read only: vnet -r doctor`,
  }];
}
