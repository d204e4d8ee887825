/**
 * Lives here: calls as gRPC: bytes out, bytes or a NetworkError back, or bytes
 * again and again. Does not know: what the bytes mean, or whether a call is repeated.
 */
import type { ServiceError } from '@grpc/grpc-js';
import { ErrorCode, NetworkError } from '../shared/errors.js';
import { GrpcStatus } from '../shared/grpc-status.js';
import { decodeError, detailTrailer } from '../shared/status.js';
import { Unanswered, type Bytes, type Carrier } from './carrier.js';
import type { Channel } from './channel.js';
import { systemWords } from './system-words.js';

/** Calls over a channel, one by one. A stream lives as long as the connection does, which the channel's keepalive finds out. */
export function createUnaryCarrier(channel: Channel): Carrier {
  const { client, place, metadata } = channel;
  return {
    call: (service, method, data, timeoutMs, abortSignal) => new Promise((resolve, reject) => {
      if (abortSignal?.aborted) {
        reject(aborted(method));
        return;
      }
      const call = client.makeUnaryRequest(
        `/${service}/${method}`, asBuffer, asBuffer, data, metadata.clone(), { deadline: Date.now() + timeoutMs },
        (error, answer) => {
          abortSignal?.removeEventListener('abort', cancel);
          if (error) reject(receivedError(error, method, place, timeoutMs));
          else resolve(answer as unknown as Bytes);
        },
      );
      const cancel = () => call.cancel();
      abortSignal?.addEventListener('abort', cancel, { once: true });
    }),
    stream: (service, method, data, abortSignal) => receive(channel, `/${service}/${method}`, method, data, abortSignal),
    close: () => client.close(),
  };
}

/** What a call gives again and again. Leaving the loop, or the signal, ends the call. */
async function* receive({ client, place, metadata }: Channel, path: string, method: string, data: Uint8Array, signal?: AbortSignal): AsyncGenerator<Bytes> {
  if (signal?.aborted) throw aborted(method);
  const call = client.makeServerStreamRequest(path, asBuffer, asBuffer, data, metadata.clone());
  const cancel = () => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    for await (const message of call) yield message as Bytes;
  } catch (error) {
    throw receivedError(error as ServiceError, method, place, 0);
  } finally {
    signal?.removeEventListener('abort', cancel);
    // Its last error comes when nobody listens any more.
    call.on('error', () => undefined).cancel();
  }
}

/** Bytes as the library wants them. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What the library says of a GOAWAY with INADEQUATE_SECURITY (12), which is how vnetd shows somebody the door: of a call that was made, and of one that was about to be. */
const shownTheDoor = /Protocol not secure enough|Session closed with error code 12$/;

/** The error that ended a call: what the daemon sent, or what kept us from it. */
export function receivedError(error: Pick<ServiceError, 'code' | 'details' | 'metadata'>, method: string, place: string, timeoutMs: number): NetworkError {
  const [detail] = error.metadata?.get(detailTrailer) ?? [];
  if (detail instanceof Buffer) return decodeError(error.code, error.details, detail);
  if (shownTheDoor.test(error.details)) return notLetIn(place);
  switch (error.code as number) {
    case GrpcStatus.UNAVAILABLE:
      return unreachable(error.details, place);
    case GrpcStatus.DEADLINE_EXCEEDED:
      return timedOut(method, place, timeoutMs);
    case GrpcStatus.CANCELLED:
      return aborted(method);
    case GrpcStatus.UNIMPLEMENTED:
      return new NetworkError(ErrorCode.NO_SUPPORT, `${method} at ${place}: ${error.details}`);
    default:
      return decodeError(error.code, `${method} at ${place}: ${error.details}`, undefined);
  }
}

function notLetIn(place: string): NetworkError {
  return new NetworkError(ErrorCode.AUTH_FAILED, `${place} does not let this client in with what it shows`, {
    hint: 'its log says why: no certificate, one that has expired or is revoked or not allowed, or another CA\'s',
  });
}

/** A call took longer than it may. */
export function timedOut(method: string, place: string, timeoutMs: number): NetworkError {
  return new NetworkError(ErrorCode.OPERATION_TIMEOUT, `${method} at ${place} got no answer in ${timeoutMs / 1000} s`, {
    hint: 'it may still happen: look before you repeat it',
  });
}

/** A call was given up. */
export function aborted(method: string): NetworkError {
  return new NetworkError(ErrorCode.OPERATION_ABORTED, `${method} was given up by the caller`, {
    hint: 'it may still happen: look before you repeat it',
  });
}

/** Why nobody answered, from the library's words, and what to do about it. */
function unreachable(details: string, place: string): Unanswered {
  const [, reason = details] = /Last error: (?:Error: )?(.*?)\.? Resolution note:/s.exec(details) ?? [];
  const why = reason.replace(/^Error: /, '');
  const message = place.startsWith('/')
    ? `Failed to connect socket to '${place}': ${plain(why)}` : `unable to connect to server at '${place}': ${plain(why)}`;
  // Everything else the library says of a connection that was there.
  const left = !/^(No connection established|Name resolution failed)/.test(details);
  return new Unanswered(message, left, { hint: hintFor(why, place) });
}

/** System errors in their own words. */
function plain(why: string): string {
  const [code = ''] = /\bE[A-Z]{3,}\b/.exec(why) ?? [];
  return systemWords[code] ?? why;
}

function hintFor(why: string, place: string): string | undefined {
  if (/ENOENT|ECONNREFUSED/.test(why)) {
    return place.startsWith('/') ? 'is vnetd running? start it with: systemctl start vnetd' : 'is vnetd running there, and does it listen on this port?';
  }
  if (/EACCES/.test(why)) return 'only root and members of the group vnet may use this socket; vnet -r uses the read-only one';
  if (/certificate|alert|handshake|TLS|SSL/i.test(why)) return 'check that both ends trust the same CA and that the certificate names this host';
  return undefined;
}
