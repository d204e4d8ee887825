/**
 * Lives here: who makes a call: whom its connection belongs to, or the bearer
 * of the token that it brings. Does not know: what carries the call, what its
 * caller may do.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { Connection, Identity } from '../connections.js';
import type { Tokens } from './tokens.js';

/**
 * Tells who makes a call or opens a session.
 *
 * @param authorization every value of its metadata `authorization`
 * @throws {NetworkError} AUTH_FAILED for a token that is none, and for whoever
 * came over TLS and shows neither certificate nor token
 */
export type Identify = (connection: Connection, authorization: readonly string[]) => Identity;

/**
 * Makes the one function that tells callers apart.
 *
 * @param failed is told of every proof that was none, beside the count in the connection
 */
export function createIdentify(tokens: Tokens, failed: (connection: Connection) => void = () => undefined): Identify {
  return (connection, authorization) => {
    if (authorization.length === 0) {
      if (connection.listener === 'tls' && connection.identity.kind === 'socket') throw nobody();
      return connection.identity;
    }
    try {
      return bearer(tokens, connection, authorization);
    } catch (error) {
      connection.failedProofs += 1;
      failed(connection);
      throw error;
    }
  };
}

function bearer(tokens: Tokens, connection: Connection, authorization: readonly string[]): Identity {
  // Whoever listens on the way has it now.
  if (connection.listener === 'tcp') {
    throw new NetworkError(ErrorCode.AUTH_FAILED, 'a token came in the clear', {
      hint: 'revoke it: others may have read it on its way; tokens go over vnet+tls or a unix socket',
    });
  }
  const [, token] = authorization.length === 1 ? /^bearer +(\S{1,200})$/i.exec(authorization[0] ?? '') ?? [] : [];
  if (token === undefined) throw new NetworkError(ErrorCode.AUTH_FAILED, 'the metadata authorization must be one: Bearer TOKEN');
  const found = tokens.find(token, connection);
  if ('name' in found) return { kind: 'token', name: `token ${found.name}`, token: found.name };
  throw new NetworkError(ErrorCode.AUTH_FAILED, found.problem === 'expired' ? 'the token has expired' : 'the token is not known here', {
    hint: 'make another on the host of vnetd, as root: vnet token add NAME',
  });
}

function nobody(): NetworkError {
  return new NetworkError(ErrorCode.AUTH_FAILED, 'a client certificate or a token is needed', {
    hint: 'give one in the URI: ?pkipath=DIR, or ?token-file=FILE',
  });
}
