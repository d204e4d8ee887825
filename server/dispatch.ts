/**
 * Lives here: calls as gRPC carries them: one handler for every procedure of
 * the contract, made by a loop. Does not know: what is done for a call, sockets.
 */
import {
  Metadata, type sendUnaryData, type ServerUnaryCall, type ServerWritableStream, type ServiceDefinition, type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ErrorCode, NetworkError } from '../shared/errors.js';
import { detailTrailer, encodeError } from '../shared/status.js';
import { nameCall, parseRequestId, procedures, type Call, type Calls, type ServedProcedure } from './calls.js';
import type { Connection, Connections } from './connections.js';
import { pour } from './stream.js';

/** A service as grpc-js wants it: what there is, and what answers. */
export interface Dispatch {
  definition: ServiceDefinition;
  implementation: UntypedServiceImplementation;
}

/** The procedures as gRPC calls. */
export function createDispatch(calls: Calls, connections: Connections): Dispatch {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const procedure of procedures) {
    const { key, path, responseStream } = procedure;
    definition[key] = {
      path,
      requestStream: false,
      responseStream,
      // Bytes as they are: the caller is checked before the request is read.
      requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs,
      originalName: key,
    };
    implementation[key] = responseStream
      ? (stream: ServerWritableStream<Buffer, Buffer>) => void answerStream(calls, () => arrived(calls, procedure, connections, stream), stream)
      : (call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>) =>
        void answer(calls, () => arrived(calls, procedure, connections, call), call.request, respond);
  }
  return { definition, implementation };
}

/** A call as `Calls` sees it. @throws {NetworkError} if its connection has ended meanwhile */
function arrived(calls: Calls, procedure: ServedProcedure, connections: Connections, call: ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>): Call {
  const over = new AbortController();
  call.once('cancelled', () => over.abort());
  const [requestId] = call.metadata.get('x-request-id');
  return { ...callerOf(calls, connections, call)(), procedure, id: nameCall(), ...parseRequestId(requestId), signal: over.signal };
}

/** Who makes a call, or the calls of a session: to be asked for each of them, as proofs expire. @throws {NetworkError} if its connection has ended meanwhile */
export function callerOf(calls: Calls, connections: Connections, call: { getPeer(): string; metadata: Metadata }): () => Pick<Call, 'connection' | 'identity' | 'denied'> {
  const connection = connectionOf(connections, call);
  const authorization = call.metadata.get('authorization').map(String);
  return () => calls.caller(connection, authorization);
}

/** A connection can end a moment before its call is looked at. */
function connectionOf(connections: Connections, call: { getPeer(): string }): Connection {
  try {
    return connections.of(call.getPeer());
  } catch (cause) {
    throw new NetworkError(ErrorCode.RPC, 'the connection has ended', { cause });
  }
}

async function answer(calls: Calls, arrive: () => Call, request: Buffer, respond: sendUnaryData<Buffer>): Promise<void> {
  let call: Call | undefined;
  try {
    call = arrive();
    respond(null, asBuffer(await calls.answer(call, request)));
  } catch (error) {
    respond(statusOf(error as NetworkError, call));
  }
}

async function answerStream(calls: Calls, arrive: () => Call, stream: ServerWritableStream<Buffer, Buffer>): Promise<void> {
  let call: Call | undefined;
  try {
    call = arrive();
    await calls.stream(call, stream.request, (messages, over) => pour(messages, asBuffer, stream, over));
    stream.end();
  } catch (error) {
    if (!stream.cancelled) stream.emit('error', statusOf(error as NetworkError, call));
  }
}

/** An error as grpc-js sends it. */
export function statusOf(refusal: NetworkError, call?: Call): { code: number; details: string; metadata: Metadata } {
  const { status, message, detail } = encodeError(refusal, call);
  const metadata = new Metadata();
  metadata.set(detailTrailer, Buffer.from(detail));
  return { code: status, details: message, metadata };
}

/** Bytes that the library leaves as they are. */
export function asIs(bytes: Buffer): Buffer {
  return bytes;
}

/** Bytes as the library wants them. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
