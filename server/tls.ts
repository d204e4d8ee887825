/**
 * Lives here: the TLS side of a connection: the handshake, and what the daemon
 * shows and asks for in it. Does not know: listening, gRPC, what a client may do.
 *
 * vnet ends TLS itself and hands what is inside to the server library: so it
 * bounds the handshake, knows the client's certificate, and can take other
 * certificates without closing what is open.
 */
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Config } from './config.js';

/** Makes connections secure. */
export interface TlsDoor {
  /**
   * Shakes hands.
   *
   * @returns what is said inside
   * @throws Error if the client fails to, is not let in, or takes too long; its socket is closed then
   */
  secure(socket: Socket): Promise<TLSSocket>;
}

/** Reads the certificates that a configuration names. @throws Error naming the file that cannot be used */
export async function openTlsDoor(tls: Config['tls']): Promise<TlsDoor> {
  const server = createServer(await readOptions(tls));
  const waiting = new WeakMap<Socket, { resolve(secured: TLSSocket): void; reject(error: Error): void }>();
  // The library keeps the socket below as `_parent` and tells of it nowhere else; its error event gives the secured one only.
  server.on('secureConnection', (secured: TLSSocket & { _parent?: Socket }) => waiting.get(secured._parent!)?.resolve(secured));
  server.on('tlsClientError', (error, secured: TLSSocket & { _parent?: Socket }) => {
    waiting.get(secured._parent!)?.reject(error);
    secured.destroy();
  });
  return {
    secure: (socket) => new Promise((resolve, reject) => {
      waiting.set(socket, { resolve, reject });
      socket.once('close', () => reject(new Error('the client left during the handshake')));
      server.emit('connection', socket);
    }),
  };
}

async function readOptions(tls: Config['tls']): Promise<TlsOptions> {
  const read = (path: string) => readFile(path).catch((error: Error) => { throw new Error(`cannot read TLS file: ${error.message}`); });
  // Without a CA of our own Node would trust every public one.
  const [ca, cert, key] = await Promise.all([read(tls.ca), read(tls.certificate), read(tls.key)]);
  return {
    ca, cert, key, minVersion: 'TLSv1.2', ALPNProtocols: ['h2'],
    requestCert: true, rejectUnauthorized: tls.requireClientCertificate,
  };
}
