/**
 * Lives here: the lock that keeps two daemons out of one folder. It is a unix
 * socket that the holder listens on: it is free the moment the holder dies,
 * however that happens. Does not know: what it guards.
 */
import { rename, unlink } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { ErrorCode, NetworkError } from '../shared/errors.js';
import { isAnswered } from './stale-socket.js';

/** A lock that is held. */
export interface Lock {
  close(): Promise<void>;
}

/**
 * Takes the lock.
 *
 * @throws {NetworkError} OPERATION_INVALID if another process holds it
 */
export async function openLock(path: string): Promise<Lock> {
  let server = await bind(path);
  if (server === undefined && !(await isAnswered(path))) {
    await setAside(path);
    server = await bind(path);
  }
  if (server === undefined) {
    throw new NetworkError(ErrorCode.OPERATION_INVALID, `another vnetd works in this folder: it holds ${path}`, {
      hint: 'stop it first, or give this one a folder of its own with --root',
    });
  }
  const held = server;
  return { close: () => new Promise((resolve) => held.close(() => resolve())) };
}

/** Listens on the path, or gives undefined if there is something already. */
function bind(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    const mask = process.umask(0o177);
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
    process.umask(mask);
  });
}

/**
 * Removes a dead holder's socket. Two that come at once may both get here, so
 * the socket is moved aside first and looked at again: a live one goes back.
 */
async function setAside(path: string): Promise<void> {
  const aside = `${path}.${process.pid}.tmp`;
  await rename(path, aside).catch(() => undefined);
  if (await isAnswered(aside)) await rename(aside, path);
  else await unlink(aside).catch(() => undefined);
}
