/**
 * Lives here: the TLS side of a connection: the handshake, and what the daemon
 * shows and asks for in it. Does not know: listening, gRPC, what a client may do.
 *
 * vnet ends TLS itself and hands what is inside to the server library: so it
 * bounds the handshake, knows the client's certificate, and can take other
 * certificates without closing what is open.
 */
import { constants, type X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import type { Config } from './config.js';
import type { Connection, Identity, TurnAway } from './connections.js';
import { Admission, identityOf } from './identity/admission.js';
import { readTlsFiles, tlsPaths, type TlsFiles } from './identity/tls-files.js';
import type { Log } from './log.js';
import { renderRefusal } from './identity/refusal.js';
import type { Reloads } from './reload.js';

/** How often it is looked whether a certificate in use has expired, in milliseconds. */
const lookMs = 30_000;

/** How long a client that is not let in may take to hear why, in milliseconds. */
const farewellMs = 1_000;

/** Makes connections secure. */
export interface TlsDoor {
  /**
   * Shakes hands, and notes in the connection who is there.
   *
   * @returns what is said inside
   * @throws Error if the client fails to, is not let in, or takes too long; its socket is closed then
   */
  secure(socket: Socket, connection: Connection): Promise<TLSSocket>;
}

/** A client that was not let in. */
class Refused extends Error {
  /** @param who its certificate's subject, which need not be true */
  constructor(why: string, readonly who: string | undefined) {
    super(why);
  }
}

/**
 * Reads the certificates that a configuration names, and again whenever they change.
 *
 * @param turnAway hears of everybody who is not let in for what it shows, or may not stay
 * @throws Error naming the file that cannot be used
 */
export async function openTlsDoor(tls: Config['tls'], reloads: Reloads, log: Log, turnAway: TurnAway): Promise<TlsDoor> {
  let files = await readTlsFiles(tls);
  for (const problem of files.untimely) log.warn({}, `TLS: ${problem}: clients are refused until it is replaced`);
  const server = createServer({
    // Node only tells why a client is refused where it is left to us to refuse it.
    ...contextOf(tls, files), ALPNProtocols: ['h2'], requestCert: true, rejectUnauthorized: false,
  });
  const inside = new Map<Connection, X509Certificate | undefined>();
  let admission = admissionOf(tls, files);
  const examine = (connection: Connection, certificate: X509Certificate | undefined) => {
    const objection = admission.objection(certificate);
    if (objection === undefined) return;
    log.warn({ connection: connection.id, peer: connection.peer, who: connection.identity.name, why: objection }, `TLS: a connection was closed: ${objection}`);
    turnAway({ listener: connection.listener, peer: connection.peer, connection: connection.id, who: connection.identity.name, reason: objection });
    connection.close();
  };
  const recheck = () => {
    for (const [connection, certificate] of inside) examine(connection, certificate);
  };
  setInterval(recheck, lookMs).unref();
  reloads.onReload({
    name: 'TLS',
    paths: (config) => tlsPaths(config.tls),
    reload: async (config) => {
      try {
        const fresh = await readTlsFiles(config.tls);
        if (fresh.untimely.length > 0) throw new Error(fresh.untimely.join('; '));
        server.setSecureContext(contextOf(config.tls, fresh));
        files = fresh;
      } finally {
        // A file that cannot be used keeps nobody in who is on the list no more.
        admission = admissionOf(config.tls, files);
        recheck();
      }
    },
  });
  const shake = handshakes(server, log, turnAway);
  return {
    secure: async (socket, connection) => {
      const { secured, certificate, identity } = await shake(socket, connection, (shown) => admission.refusal(shown));
      if (identity !== undefined) connection.identity = identity;
      inside.set(connection, certificate);
      connection.closed.addEventListener('abort', () => inside.delete(connection), { once: true });
      // The rules may have changed since it was looked at.
      examine(connection, certificate);
      return secured;
    },
  };
}

/** Somebody who was let in. */
interface Client {
  secured: TLSSocket;
  certificate: X509Certificate | undefined;
  identity: Identity | undefined;
}

type Shake = (socket: Socket, connection: Connection, refusal: (certificate: X509Certificate | undefined) => string | undefined) => Promise<Client>;

/** Shakes hands with one client after the other, and says in the log who was not let in and why. */
function handshakes(server: ReturnType<typeof createServer>, log: Log, turnAway: TurnAway): Shake {
  const waiting = new WeakMap<Socket, { resolve(secured: TLSSocket): void; reject(error: Error): void }>();
  // The library keeps the socket below as `_parent` and tells of it nowhere else; its error event gives the secured one only.
  server.on('secureConnection', (secured: TLSSocket & { _parent?: Socket }) => waiting.get(secured._parent!)?.resolve(secured));
  server.on('tlsClientError', (error, secured: TLSSocket & { _parent?: Socket }) => {
    waiting.get(secured._parent!)?.reject(error);
    secured.destroy();
  });
  const shaken = (socket: Socket) => new Promise<TLSSocket>((resolve, reject) => {
    waiting.set(socket, { resolve, reject });
    socket.once('close', () => reject(new Error('the client left during the handshake')));
    server.emit('connection', socket);
  });
  return async (socket, connection, refusal) => {
    try {
      const secured = await shaken(socket);
      const certificate = secured.getPeerX509Certificate();
      const identity = certificate === undefined ? undefined : identityOf(certificate);
      const why = certificate !== undefined && !secured.authorized ? verdict(secured) : refusal(certificate);
      if (why === undefined) return { secured, certificate, identity };
      bidFarewell(secured, why);
      throw new Refused(why, identity?.name);
    } catch (error) {
      const { message, who } = error as Error & { who?: string };
      if (!(error instanceof Refused)) socket.destroy();
      log.warn({ peer: connection.peer, connection: connection.id, ...(who === undefined ? {} : { who }), why: message }, 'TLS: a client was not let in');
      // Whoever does not get so far has shown nothing.
      if (error instanceof Refused) {
        turnAway({ listener: connection.listener, peer: connection.peer, connection: connection.id, ...(who === undefined ? {} : { who }), reason: message });
      }
      throw error;
    }
  };
}

/** What the handshake found wrong with a certificate, in words. */
function verdict({ authorizationError }: TLSSocket): string {
  const code = String(authorizationError);
  return `its certificate is refused: ${verdicts[code] ?? code}`;
}

const verdicts: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'it has expired', CERT_NOT_YET_VALID: 'it is not valid yet: is a clock wrong?', CERT_REVOKED: 'it is revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'no CA signed it', SELF_SIGNED_CERT_IN_CHAIN: 'its CA is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT: 'its CA is not trusted here', UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its CA is not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its CA is not trusted here', CERT_SIGNATURE_FAILURE: 'its signature is not its CA\'s',
  INVALID_PURPOSE: 'it is not for clients', CRL_HAS_EXPIRED: 'the revocation list of its CA has ended', UNABLE_TO_GET_CRL: 'its CA is not trusted here, or there is no revocation list of it',
  CRL_NOT_YET_VALID: 'the revocation list of its CA is not valid yet',
};

/** Says why, in a way that an HTTP/2 client understands, and closes. */
function bidFarewell(secured: TLSSocket, why: string): void {
  secured.on('error', () => undefined).end(renderRefusal(`vnetd lets nobody in here like this: ${why}`));
  secured.resume();
  setTimeout(() => secured.destroy(), farewellMs).unref();
}

function contextOf(tls: Config['tls'], { context }: TlsFiles): SecureContextOptions {
  // Whoever resumes a session shows no certificate: one that is revoked by now would pass.
  return { ...context, minVersion: `TLSv${tls.minimumVersion}`, secureOptions: constants.SSL_OP_NO_TICKET };
}

function admissionOf({ allowed, requireClientCertificate }: Config['tls'], { authorities, revoked }: TlsFiles): Admission {
  return new Admission({ authorities, revoked, allowed, requireClientCertificate });
}
