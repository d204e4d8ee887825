/**
 * Lives here: what can be seen from the client's side when no daemon answers:
 * the socket, the rights to it, the process; over a network what `doctor/`
 * finds. Does not know: how one connects.
 */
import { constants } from 'node:fs';
import { access, readdir, readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { NetworkError } from '../../shared/errors.js';
import { defaults, parseUri, type VnetUri } from '../../shared/uri.js';
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
  return [answer, ...await lookThere(uri, readonly, cause)];
}

/** What shows of the place that a URI names. Of what is behind an ssh, only ssh's own words, which were said. */
async function lookThere(text: string, readonly: boolean, cause: unknown): Promise<Diagnosis[]> {
  const uri = understood(text);
  switch (uri?.scheme) {
    case 'unix': return [await lookAtProcess(), ...await lookAtSocket(uri.socket ?? (readonly ? defaults.readonlySocket : defaults.socket))];
    case 'tls': return (await import('../doctor/tls.js')).examineTls(uri, cause);
    case 'tcp': return (await import('../doctor/tcp.js')).examineTcp(uri);
    default: return [];
  }
}

/** What is worth knowing of a connection that works: of TLS, whose certificates these are, and until when. */
export async function examineWorking(text: string): Promise<Diagnosis[]> {
  const uri = understood(text);
  return uri?.scheme === 'tls' ? (await import('../doctor/tls.js')).examineTls(uri) : [];
}

function understood(text: string): VnetUri | undefined {
  try {
    return parseUri(text);
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
  if (!may) {
    return [{
      severity: 'error', check: 'daemon-socket', message: `${userInfo().username} may not open ${path}`,
      advice: `join its group: usermod -aG vnet ${userInfo().username}, then log in again; or read only: vnet -r doctor`,
    }];
  }
  return [await isAnswered(path) ? { severity: 'ok', check: 'daemon-socket', message: `${path} is there and may be opened` } : {
    severity: 'error', check: 'daemon-socket', message: `nobody listens on ${path}: whoever made it has ended`, advice: 'start vnetd, which takes the socket over: systemctl start vnetd',
  }];
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => { socket.destroy(); resolve(true); }).once('error', () => resolve(false));
  });
}
