/**
 * Lives here: unix sockets that were left in the file system. Does not know:
 * who listens on them.
 */
import { lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';

/** Removes a socket that nobody listens on. @throws Error if somebody does, or it is no socket */
export async function clearStaleSocket(path: string): Promise<void> {
  const info = await lstat(path).catch(() => undefined);
  if (info === undefined) return;
  if (!info.isSocket()) throw new Error(`${path} exists and is no socket: it is left alone`);
  if (await isAnswered(path)) throw new Error(`another program listens on ${path}: is vnetd running already?`);
  await unlink(path);
}

/** Whether somebody listens on a unix socket. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => { resolve(false); });
  });
}
