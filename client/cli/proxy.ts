/**
 * Lives here: `vnet proxy`: the daemon's unix socket on standard input and
 * output, for an ssh that comes from another host. Does not know: what passes
 * through; it starts fast, and loads nothing that speaks gRPC.
 */
import { connect, type Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { defaults } from '../../shared/uri.js';
import { systemWords } from '../system-words.js';
import type { Call } from './call.js';
import { UsageError } from './failure.js';

/** `vnet proxy`. Ends when the daemon has said all, or nobody reads it any more. */
export async function runProxy(call: Call): Promise<void> {
  const path = call.value('socket') ?? (call.flag('readonly') ? defaults.readonlySocket : defaults.socket);
  if (!path.startsWith('/')) throw new UsageError(`--socket must be an absolute path, not '${path}'`);
  const { stdin, stdout } = call.surroundings;
  const over = call.endsByItself();
  const socket = await open(path);
  over.addEventListener('abort', () => socket.destroy(), { once: true });
  // Each side's end is passed on by itself: a half that is closed leaves the other open.
  stdin.on('error', () => socket.destroy());
  stdin.pipe(socket);
  // Standard output stays: it is the program's.
  socket.pipe(stdout, { end: false });
  await finished(socket, { writable: false, cleanup: true }).catch(() => undefined);
  socket.destroy();
  stdin.destroy();
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.once('connect', () => {
      socket.off('error', reject);
      // A connection that breaks has ended, for whoever reads.
      socket.on('error', () => undefined);
      resolve(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => reject(unreachable(path, error)));
  });
}

function unreachable(path: string, { code = '', message }: NodeJS.ErrnoException): NetworkError {
  const hint = code === 'EACCES'
    ? 'only root and members of the group vnet may use this socket; --readonly uses the one for everyone'
    : 'is vnetd running there? start it with: systemctl start vnetd';
  return new NetworkError(ErrorCode.RPC, `Failed to connect socket to '${path}': ${code === 'ENOTSOCK' ? 'it is no socket' : systemWords[code] ?? message}`, { hint });
}
