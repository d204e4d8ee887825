/**
 * Lives here: what is wrong with a connection to a daemon in the clear. Does
 * not know: gRPC.
 */
import type { VnetUri } from '../../shared/uri.js';
import type { Diagnosis } from '../diagnosis.js';
import { explainNoConnection, isHttp2, reach } from './reach.js';

/** Looks at the way to a daemon over TCP, and who is there. */
export async function examineTcp(uri: Extract<VnetUri, { scheme: 'tcp' }>): Promise<Diagnosis[]> {
  const [reached, place] = [await reach(uri), `${uri.host}:${uri.port}`];
  if ('code' in reached) return [explainNoConnection(uri, reached, 'tcp')];
  if (isHttp2(reached.bytes)) return [{ severity: 'ok', check: 'listening', message: `${place} is reached, and speaks HTTP/2` }];
  // A server of TLS answers what is no handshake with an alert, or not at all.
  return [reached.bytes[0] === 0x15
    ? { severity: 'error', check: 'protocol', message: `${place} speaks TLS`, advice: `vnet+tls://${uri.host}:${uri.port}/system` }
    : { severity: 'error', check: 'protocol', message: `whoever listens on ${place} does not speak HTTP/2: it is no vnetd, or speaks TLS`, advice: 'is the port right? vnetd\'s is 16609 by default, 16614 for vnet+tls' }];
}
