/**
 * Lives here: who is connected: one record for every connection, from its
 * accept to its end, and the way from a call back to it. Does not know: how
 * somebody is identified, what may be called, gRPC.
 */
import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';

/** Which of the daemon's sockets a connection came in by. */
export type ListenerKind = 'unix' | 'unix-readonly' | 'tcp' | 'tls';

/** Who somebody is, as far as the daemon can tell. */
export interface Identity {
  /**
   * How it is known: `socket` by nothing but having been able to open this
   * socket, `unix` by the kernel's word, `certificate` by TLS, `token` by a
   * bearer token.
   */
  kind: 'socket' | 'unix' | 'certificate' | 'token';
  /** In a few words, for logs and for people: `unix`, `alice (uid 1000)`, `CN=alice,O=Lab`, `token ci`. */
  name: string;
  /** Of a unix peer: the process and its account when it connected. */
  unix?: { pid: number; uid: number; gid: number; /** Its account's name, if it has one. */ user?: string; /** Names of all its account's groups. */ groups: readonly string[] };
  /** Of a client certificate. */
  certificate?: {
    /** Its subject, part by part, the most general first; a part can have several values. */
    subject: readonly (readonly { type: string; value: string }[])[];
    /** Its alternative names as `DNS:name`, `IP:address`, `URI:text`, `email:address`. */
    alternativeNames: readonly string[];
    /** SHA-256, in lower-case hexadecimal digits without colons. */
    fingerprint: string;
  };
  /** Of a bearer token: the name it was made under. */
  token?: string;
}

/** Somebody whose connection was not taken, or taken back. */
export interface TurnedAway {
  listener: ListenerKind;
  /** Where it came from: `198.51.100.7:40112`, or `local`. */
  peer: string;
  connection?: number;
  /** Who it was, as far as is known. */
  who?: string;
  /** Why it was refused. */
  reason: string;
  /** It was not for who it is, but for what it took. */
  greedy?: boolean;
}

/** What a session holds at this moment. */
export interface SessionLoad {
  /** Bytes of answers that the transport has not been given. */
  readonly unsent: number;
  /** Calls that wait to be begun. */
  readonly waiting: number;
  /** Its client is not read, or nothing is begun for it, until it takes what it has asked for. */
  readonly held: boolean;
}

/** Hears of everybody who is turned away. */
export type TurnAway = (turned: TurnedAway) => void;

/** Where a socket comes from: `198.51.100.7:40112`, or `local` for a unix socket. */
export function peerOf({ remoteAddress, remotePort = 0 }: Socket): string {
  return remoteAddress === undefined ? 'local' : `${remoteAddress}:${remotePort}`;
}

/** One connection. */
export class Connection {
  readonly id: number;
  readonly listener: ListenerKind;
  /** Nothing may be changed by this way. */
  readonly readonly: boolean;
  /** Where it comes from, as {@link peerOf} says. */
  readonly peer: string;
  readonly since = new Date();
  identity: Identity;
  /** Calls and streams that are being answered. */
  inFlight = 0;
  /** Its sessions. */
  readonly sessions = new Set<SessionLoad>();
  /** How often a call brought a proof of its caller that is none. */
  failedProofs = 0;
  readonly #socket: Socket;
  readonly #closed = new AbortController();

  constructor(id: number, listener: ListenerKind, socket: Socket) {
    this.id = id;
    this.listener = listener;
    this.readonly = listener === 'unix-readonly';
    this.peer = peerOf(socket);
    this.identity = { kind: 'socket', name: listener };
    this.#socket = socket;
    setMaxListeners(0, this.closed);
    socket.once('close', () => this.#closed.abort());
  }

  /** Aborted when it has ended. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Ends it at once; its calls are cancelled. */
  close(): void {
    this.#socket.destroy();
  }
}

/** All that are open. */
export class Connections {
  readonly #open = new Map<number, Connection>();
  #last = 0;

  /** Notes a connection until its socket closes. */
  add(listener: ListenerKind, socket: Socket): Connection {
    this.#last += 1;
    const connection = new Connection(this.#last, listener, socket);
    this.#open.set(connection.id, connection);
    connection.closed.addEventListener('abort', () => this.#open.delete(connection.id), { once: true });
    return connection;
  }

  /**
   * Marks the socket that the server library gets, so that `of` finds the
   * connection: of a call's connection the library tells nothing but the
   * peer's address, and of a unix socket's not even that. The number takes the
   * address's place.
   */
  mark({ id }: Connection, socket: Socket): void {
    Object.defineProperty(socket, 'remoteAddress', { value: keyOf(id) });
    Object.defineProperty(socket, 'remotePort', { value: undefined });
  }

  /**
   * The connection of a call.
   *
   * @param key what the server library calls its peer
   * @throws Error if it has ended, or is none of ours
   */
  of(key: string): Connection {
    const connection = this.#open.get(Number(key.slice(keyOf('').length)));
    if (connection === undefined || !key.startsWith(keyOf(''))) throw new Error(`a call by ${key}, which is no connection`);
    return connection;
  }

  /** Those that are open, the oldest first. */
  list(): Connection[] {
    return [...this.#open.values()];
  }
}

function keyOf(id: number | string): string {
  return `connection-${id}`;
}
