/**
 * Lives here: the sockets the daemon listens on, and the gRPC server behind
 * each. Does not know: what is called.
 *
 * vnet accepts the connections itself and hands them to grpc-js, so that every
 * way in can be counted, limited and asked who is there in one place.
 */
import { chmod, chown, mkdir } from 'node:fs/promises';
import type { ServerHttp2Session } from 'node:http2';
import { createServer, type ListenOptions, type Server as SocketServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { groupId } from './accounts.js';
import type { Config } from './config.js';
import type { Connection, Connections, ListenerKind, TurnAway } from './connections.js';
import { openUnixPeers, type UnixPeers } from './identity/unix-peers.js';
import { httpServerOf, setHttpOptions } from './limits/grpc-library.js';
import { openGuard, type Guard } from './limits/guard.js';
import { mostHeaderPairs } from './limits/limits.js';
import type { Log } from './log.js';
import type { Reloads } from './reload.js';
import { clearStaleSocket } from './stale-socket.js';
import { openTlsDoor } from './tls.js';

/** A way in that is open. */
export interface Listener {
  /** How a client names it. */
  uri: string;
  /**
   * Takes no new connections, lets calls in flight end for a while, and cuts what is left.
   *
   * @param idle settles when only streams are left: those that nobody reads are not waited for
   */
  close(graceMs: number, idle?: Promise<void>): Promise<void>;
}

/** A way in that the configuration asks for. */
interface Door {
  kind: ListenerKind;
  /** Finds out who is there and notes it in the connection. Gives what is said inside; throws if nobody is let in. */
  admit(socket: Socket, connection: Connection): Promise<Socket>;
  where: ListenOptions;
  /** What to do once the socket is there. */
  opened?: () => Promise<void>;
  uri(port: number): string;
}

/** How long the last words of a stream, or an answer, may take to be read when nothing else is waited for, in milliseconds. */
const lastWordsMs = 500;

/** Puts the services on a server. */
export type Furnish = (server: Server) => void;

/**
 * Opens every way in that the configuration asks for, or none.
 *
 * @param guard keeps the limits; absent: those of the configuration
 */
export async function openListeners(config: Config, connections: Connections, furnish: Furnish, reloads: Reloads, log: Log, guard?: Guard): Promise<Listener[]> {
  const limits = guard ?? await openGuard(config.limits, log);
  const listeners: Listener[] = [];
  const peers = await openUnixPeers(config.unix.peerCredentials, log);
  try {
    for (const door of await doors(config, peers, reloads, log, limits.turnAway)) {
      const listener = await openDoor(door, connections, furnish, log, limits);
      log.info({ uri: listener.uri }, 'listening');
      listeners.push(listener);
    }
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.close(0)));
    peers.close();
    throw error;
  }
  return listeners;
}

async function doors({ unix, tcp, tls, passed }: Config, peers: UnixPeers, reloads: Reloads, log: Log, turnAway: TurnAway): Promise<Door[]> {
  const found = [await unixDoor(unix.socket, 0o660, unix.group, 'unix', peers, log, passed?.get('unix'))];
  if (unix.readonly) found.push(await unixDoor(unix.readonlySocket, 0o666, '', 'unix-readonly', peers, log, passed?.get('unix-readonly')));
  if (tcp.enabled) {
    found.push({ kind: 'tcp', admit: async (socket) => socket, where: placed(passed?.get('tcp'), { host: tcp.address, port: tcp.port }), uri: netUri('tcp', tcp.address) });
    log.warn({ address: tcp.address }, 'tcp is neither encrypted nor authenticated: whoever reaches it may do everything, unless the access table names it');
  }
  if (tls.enabled) {
    const { secure: admit } = await openTlsDoor(tls, reloads, log, turnAway);
    found.push({ kind: 'tls', admit, where: placed(passed?.get('tls'), { host: tls.address, port: tls.port }), uri: netUri('tls', tls.address) });
  }
  return found;
}

/** A socket that was passed is listened on as it is. */
function placed(fd: number | undefined, where: ListenOptions): ListenOptions {
  return fd === undefined ? where : { fd } as ListenOptions;
}

async function unixDoor(path: string, mode: number, group: string, kind: ListenerKind, peers: UnixPeers, log: Log, fd: number | undefined): Promise<Door> {
  // A passed socket has its path, owner and mode of systemd, which also removes it.
  if (fd === undefined) {
    if (Buffer.byteLength(path) > 107) throw new Error(`${path}: a socket's path can have at most 107 bytes`);
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await clearStaleSocket(path);
  }
  return {
    kind,
    admit: async (socket, connection) => {
      connection.identity = await peers.identify(socket, connection.identity);
      return socket;
    },
    where: placed(fd, { path }),
    uri: () => `vnet+unix:///system?socket=${path}`,
    opened: async () => {
      if (fd !== undefined) return;
      if (group !== '' && process.getuid?.() === 0) await giveToGroup(path, group, log);
      await chmod(path, mode);
    },
  };
}

async function giveToGroup(path: string, group: string, log: Log): Promise<void> {
  const gid = await groupId(group);
  if (gid === undefined) log.warn({ group }, `there is no group '${group}': only root may use the socket (groupadd --system ${group} makes it)`);
  else await chown(path, 0, gid).catch((error: unknown) => log.warn({ group, err: error }, 'the socket cannot be given to its group'));
}

function netUri(kind: 'tcp' | 'tls', address: string): (port: number) => string {
  return (port) => `vnet+${kind}://${address.includes(':') ? `[${address}]` : address}:${port}/system`;
}

async function openDoor(door: Door, connections: Connections, furnish: Furnish, log: Log, guard: Guard): Promise<Listener> {
  const { limits } = guard;
  const server = new Server({
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.max_receive_message_length': door.kind === 'unix-readonly' ? limits.readonlyMessageBytes : limits.messageBytes,
    // Calls beyond the limit are to be refused by name; some more for what is no call of the driver.
    'grpc.max_concurrent_streams': limits.callsPerConnection + 64,
    'grpc.enable_channelz': 0,
  });
  // Of those that have more fields than allowed, the first ends the connection: the library would read on and on.
  setHttpOptions(server, { headerBytes: limits.headerBytes, mostHeaderPairs });
  furnish(server);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const http = httpServerOf(server);
  const [sockets, sessions] = [new Set<Socket>(), new Set<ServerHttp2Session>()];
  const accept = createServer({ noDelay: true, pauseOnConnect: door.kind !== 'tls' }, (socket) => {
    if (!guard.admit(door.kind, socket)) return;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', (error) => log.debug({ err: error, listener: door.kind }, 'connection broke'));
    const connection = connections.add(door.kind, socket);
    guard.watch(connection, socket);
    door.admit(socket, connection).then((inner) => {
      if (inner.destroyed || !guard.identified(connection)) return;
      connections.mark(connection, inner);
      const follow = (session: ServerHttp2Session) => {
        sessions.add(session);
        session.once('close', () => sessions.delete(session));
        guard.follow(connection, session);
      };
      // It is made at once, or not at all.
      http.once('session', follow);
      injector.injectConnection(inner);
      http.off('session', follow);
      // What was held back until it was known who is there.
      if (door.kind !== 'tls') inner.resume();
    }, (error: unknown) => {
      // Over TLS it has been said, and the client hears why before it goes.
      if (door.kind === 'tls') return;
      log.warn({ err: error, listener: door.kind, connection: connection.id }, 'a client was not let in: it cannot be told who it is');
      guard.turnAway({ listener: door.kind, peer: connection.peer, connection: connection.id, reason: 'it cannot be told who it is' });
      socket.destroy();
    });
  });
  const port = await listen(accept, door);
  return { uri: door.uri(port), close: (graceMs, idle) => closeDoor({ accept, server, sockets, sessions }, graceMs, idle) };
}

async function listen(accept: SocketServer, door: Door): Promise<number> {
  // Nobody may connect between bind and chmod.
  const mask = process.umask(0o177);
  try {
    accept.listen({ ...door.where, backlog: 1000 });
  } finally {
    process.umask(mask);
  }
  await new Promise<void>((resolve, reject) => {
    accept.once('listening', resolve);
    accept.once('error', reject);
  });
  await door.opened?.();
  const address = accept.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A door with all that came in by it. */
interface Opened {
  accept: SocketServer;
  server: Server;
  sockets: Set<Socket>;
  sessions: Set<ServerHttp2Session>;
}

async function closeDoor({ accept, server, sockets, sessions }: Opened, graceMs: number, idle?: Promise<void>): Promise<void> {
  accept.close();
  // From Node 24 on the library takes sessions for closed once they are asked to close: that they are is seen here.
  const ended = [...sessions].map((session) => new Promise((resolve) => session.once('close', resolve)));
  const drained = Promise.all([new Promise<void>((resolve) => server.tryShutdown(() => resolve())), ...ended]);
  const timers: NodeJS.Timeout[] = [];
  const after = (ms: number) => new Promise<void>((resolve) => { timers.push(setTimeout(resolve, ms)); });
  await Promise.race([drained, after(graceMs), ...(idle === undefined ? [] : [idle.then(() => after(Math.min(graceMs, lastWordsMs)))])]);
  timers.forEach(clearTimeout);
  server.forceShutdown();
  for (const socket of sockets) socket.destroy();
}
