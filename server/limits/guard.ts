/**
 * Lives here: the limits at work: every connection from its accept on, and a
 * look at all of them four times a second. Does not know: how a connection is
 * accepted, what is called.
 */
import type { ServerHttp2Session } from 'node:http2';
import { constants } from 'node:http2';
import type { Socket } from 'node:net';
import { peerOf, type Connection, type ListenerKind, type TurnAway } from '../connections.js';
import type { Log } from '../log.js';
import { Admission } from './admission.js';
import { CallLimits } from './call-limits.js';
import { spareDescriptors } from './descriptors.js';
import { nameLimit, type Limits } from './limits.js';
import { Refusals, type Deed } from './refusals.js';
import { Traffic } from './traffic.js';

/** How often time is looked at, in milliseconds. */
const lookEveryMs = 250;

/** How long a connection that is asked to go may take, in milliseconds. */
const farewellMs = 5_000;

/** How long answers that are made may take to leave, in milliseconds. */
const answersMs = 100;

/** A connection that is watched. */
interface Watched {
  connection: Connection;
  traffic: Traffic;
  session?: ServerHttp2Session;
  since: number;
  /** When it was asked to go. */
  leaving?: number;
}

/** Keeps the limits. */
export class Guard {
  readonly refusals: Refusals;
  /** The limits of calls. */
  readonly calls: CallLimits;
  /** Bytes that all connections together hold. */
  readonly held = { unread: 0, unsent: 0 };
  /** How many connections were let in. */
  admitted = 0;
  readonly #watched = new Map<Connection, Watched>();
  readonly #admission: Admission;
  readonly #timer: NodeJS.Timeout;
  #looked = performance.now();

  /** @param turnAway hears of everybody who is kept out or cut off */
  constructor(readonly limits: Limits, descriptors: number, log: Log, readonly turnAway: TurnAway) {
    this.refusals = new Refusals(log);
    this.calls = new CallLimits(limits, this.refusals, (connection, bytes) => this.#watched.get(connection)?.traffic.answer(bytes));
    this.#admission = new Admission(limits, descriptors, process.getuid?.());
    if (this.#admission.most < limits.connections) {
      log.warn({ connections: this.#admission.most }, `the process may not open enough files for limits.connections = ${limits.connections}; raise LimitNOFILE`);
    }
    this.#timer = setInterval(() => this.#look(performance.now()), lookEveryMs).unref();
  }

  /** Connections that have not made a call, of those who have to prove themselves. */
  get strangers(): number {
    return this.#admission.strangers;
  }

  /** Whether somebody who knocks is let in. The socket is closed if not. */
  admit(kind: ListenerKind, socket: Socket): boolean {
    const refusal = this.#admission.refusal(kind, socket.remoteAddress);
    if (refusal === undefined) return true;
    this.refusals.note('connection refused', refusal, { listener: kind, peer: socket.remoteAddress });
    this.turnAway({ listener: kind, peer: peerOf(socket), reason: `limits.${nameLimit(refusal)}`, greedy: true });
    socket.destroy();
    return false;
  }

  /** Watches a connection that was let in. @param socket the one that was accepted */
  watch(connection: Connection, socket: Socket): void {
    const now = performance.now();
    this.admitted += 1;
    const cut = (limit: keyof Limits) => this.#cut(connection, limit);
    const refused = (limit: keyof Limits) => this.note('call refused', limit, connection);
    const largest = connection.listener === 'unix-readonly' ? 'readonlyMessageBytes' : 'messageBytes';
    const traffic = new Traffic(socket, connection.sessions, this.limits, largest, this.held, { exceeded: cut, refused }, now);
    this.#watched.set(connection, { connection, traffic, since: now });
    this.#admission.enter(connection, socket.remoteAddress, () => cut('unauthenticated'));
    connection.closed.addEventListener('abort', () => this.#forget(connection), { once: true });
  }

  /** Whether somebody may stay now that `connection.identity` says who it is. The connection is closed if not. */
  identified(connection: Connection): boolean {
    const refusal = this.#admission.identify(connection);
    if (refusal !== undefined) this.#cut(connection, refusal);
    return refusal === undefined;
  }

  /** Counts a proof of its caller that a call brought and that is none. */
  proofFailed(connection: Connection): void {
    if (connection.failedProofs > this.limits.failedProofs) this.#cut(connection, 'failedProofs');
  }

  /** Follows the HTTP/2 session of a connection. */
  follow(connection: Connection, session: ServerHttp2Session): void {
    const watched = this.#watched.get(connection);
    if (watched === undefined) return;
    watched.session = session;
    // Of a session that carries calls of its own, vnet's, not each answers before the next.
    watched.traffic.follow(session, (path) => path.startsWith('/vnet.v1.Session/'));
  }

  /** Notes what a limit did to somebody. */
  note(deed: Deed, limit: keyof Limits, { id, listener, peer, identity }: Connection): void {
    this.refusals.note(deed, limit, { connection: id, listener, peer, who: identity.name });
  }

  /** Watches no more. */
  close(): void {
    clearInterval(this.#timer);
  }

  #forget(connection: Connection): void {
    this.#watched.delete(connection);
    this.#admission.leave(connection);
  }

  #look(now: number): void {
    const late = now - this.#looked > 3 * lookEveryMs;
    this.#looked = now;
    // The daemon itself was held up: what has arrived meanwhile is read first, so that nobody is blamed for its delay.
    if (late) return;
    let unsent = 0;
    for (const watched of this.#watched.values()) {
      this.#lookAt(watched, now);
      unsent += watched.traffic.unsent;
    }
    this.held.unsent = unsent;
    if (this.held.unread > this.limits.unreadBytesInAll) this.#cutGreatest('unread', 'unreadBytesInAll');
    if (unsent > this.limits.unsentBytesInAll) this.#cutGreatest('unsent', 'unsentBytesInAll');
  }

  #lookAt(watched: Watched, now: number): void {
    const { connection, traffic, session, since, leaving } = watched;
    const { handshakeSeconds, firstCallSeconds, idleSeconds } = this.limits;
    if (traffic.spoke) this.#admission.know(connection);
    if (session === undefined && now - since > handshakeSeconds * 1000) return this.#cut(connection, 'handshakeSeconds');
    if (!traffic.spoke && now - since > firstCallSeconds * 1000) return this.#cut(connection, 'firstCallSeconds');
    traffic.examine(now);
    const idle = traffic.calls === 0 && connection.inFlight === 0 && now - traffic.lastCall > idleSeconds * 1000;
    if (leaving !== undefined && now - leaving > farewellMs) return this.#cut(connection, 'idleSeconds');
    if (idle && leaving === undefined) {
      watched.leaving = now;
      this.refusals.note('connection closed', 'idleSeconds', { connection: connection.id });
      // A call that comes at this moment is still answered.
      session?.close();
    }
  }

  #cutGreatest(what: 'unread' | 'unsent', limit: keyof Limits): void {
    const [greatest] = [...this.#watched.values()].sort((a, b) => b.traffic[what] - a.traffic[what]);
    if (greatest !== undefined) this.#cut(greatest.connection, limit);
  }

  /** Ends a connection, and tells its client why if it reads. */
  #cut(connection: Connection, limit: keyof Limits): void {
    const watched = this.#watched.get(connection);
    if (watched === undefined) return;
    this.#forget(connection);
    this.note('connection cut', limit, connection);
    const { id, listener, peer, identity } = connection;
    this.turnAway({ listener, peer, connection: id, who: identity.name, reason: `limits.${nameLimit(limit)}`, greedy: limit !== 'failedProofs' });
    const { session } = watched;
    // Calls that have arrived with this one are not begun any more.
    session?.removeAllListeners('stream');
    // Before more is read: the loop would read two megabytes more of it first. But calls that are given up as they come are
    // let end before their session does: with Node 20 the process never came back from ending both at once.
    // And whoever brings no good proof hears so first.
    const soon = limit === 'resets' ? setImmediate : limit === 'failedProofs' ? afterAnswers : process.nextTick;
    soon(() => {
      if (session !== undefined && !session.destroyed) {
        session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from(`limits.${nameLimit(limit)}`));
        session.destroy();
      }
      setImmediate(() => connection.close());
    });
  }
}

function afterAnswers(work: () => void): void {
  setTimeout(work, answersMs);
}

/** Keeps these limits, as far as this process may open files. */
export async function openGuard(limits: Limits, log: Log, turnAway: TurnAway = () => undefined): Promise<Guard> {
  return new Guard(limits, await spareDescriptors(), log, turnAway);
}
