/**
 * Lives here: who is at the other end of a unix socket, as far as the
 * configuration wants it known. Does not know: how the kernel is asked, what an
 * identity may do.
 */
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { Config } from '../config.js';
import type { Identity } from '../connections.js';
import type { Log } from '../log.js';
import { openAccounts, type AccountBook } from './account-names.js';
import { openPeerReader, type PeerReader } from './peer-reader.js';

/** Tells who is there. */
export interface UnixPeers {
  /**
   * @param unknown who it is where nobody is to be told from another
   * @throws Error if it can be told but was not: whoever it is must not be let in
   */
  identify(socket: Socket, unknown: Identity): Promise<Identity>;
  close(): void;
}

/** What opening needs; tests give others. */
export interface UnixPeersParts {
  accounts?: AccountBook;
  open?: () => Promise<PeerReader>;
}

/**
 * Opens the way to tell peers apart.
 *
 * @param wanted `auto`: where it cannot be had, everyone is nobody but one who
 * could open the socket, with a warning; `required`: then it throws
 */
export async function openUnixPeers(wanted: Config['unix']['peerCredentials'], log: Log, parts: UnixPeersParts = {}): Promise<UnixPeers> {
  const { accounts = openAccounts(), open = openPeerReader } = parts;
  const anonymous: UnixPeers = { identify: async (_, unknown) => unknown, close: () => undefined };
  if (wanted === 'off') return anonymous;
  let reader: PeerReader;
  try {
    reader = await open();
  } catch (error) {
    if (wanted === 'required') throw error;
    log.warn({ err: error }, 'whoever opens a unix socket has the rights of that socket: its peers cannot be told apart here');
    return anonymous;
  }
  const overflow = await overflowUid();
  return {
    identify: async (socket) => {
      const credentials = await reader.read(socket);
      const { uid, gid } = credentials;
      // Someone of another user namespace, whoever it is: no account of this one.
      const { user, groups } = uid === overflow ? { user: undefined, groups: [] } : await accounts.names(uid, gid);
      return { kind: 'unix', name: user === undefined ? `uid ${uid}` : `${user} (uid ${uid})`, unix: { ...credentials, ...(user === undefined ? {} : { user }), groups } };
    },
    close: () => reader.close(),
  };
}

/** The number that stands for accounts that have none here. */
async function overflowUid(): Promise<number> {
  const text = await readFile('/proc/sys/kernel/overflowuid', 'utf8').catch(() => '65534');
  return Number(text);
}
