/**
 * Lives here: calls as gRPC carries them: one handler for every procedure of
 * the contract, made by a loop. Does not know: what is done for a call, sockets.
 */
import {
  Metadata, type sendUnaryData, type ServerUnaryCall, type ServerWritableStream, type ServiceDefinition, type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { NetworkError } from '../shared/errors.js';
import { detailTrailer, encodeError } from '../shared/status.js';
import { driverProcedures, nameCall, parseRequestId, type Call, type Calls, type DriverProcedure } from './calls.js';
import type { Connections } from './connections.js';
import { pour } from './stream.js';

/** A service as grpc-js wants it: what there is, and what answers. */
export interface Dispatch {
  definition: ServiceDefinition;
  implementation: UntypedServiceImplementation;
}

/** The driver's procedures as gRPC calls. */
export function createDispatch(calls: Calls, connections: Connections): Dispatch {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const procedure of driverProcedures) {
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
      ? (call: ServerWritableStream<Buffer, Buffer>) => void answerStream(calls, arrived(procedure, connections, call), call)
      : (call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>) =>
        void answer(calls, arrived(procedure, connections, call), call.request, respond);
  }
  return { definition, implementation };
}

/** A call as `Calls` sees it. */
function arrived(procedure: DriverProcedure, connections: Connections, call: ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>): Call {
  const over = new AbortController();
  call.once('cancelled', () => over.abort());
  const connection = connections.of(call.getPeer());
  const [requestId] = call.metadata.get('x-request-id');
  return { procedure, connection, identity: connection.identity, id: nameCall(), ...parseRequestId(requestId), signal: over.signal };
}

async function answer(calls: Calls, call: Call, request: Buffer, respond: sendUnaryData<Buffer>): Promise<void> {
  try {
    respond(null, asBuffer(await calls.answer(call, request)));
  } catch (error) {
    respond(statusOf(error as NetworkError, call));
  }
}

async function answerStream(calls: Calls, call: Call, stream: ServerWritableStream<Buffer, Buffer>): Promise<void> {
  try {
    await calls.stream(call, stream.request, (messages, over) => pour(messages, asBuffer, stream, over));
    stream.end();
  } catch (error) {
    if (!stream.cancelled) stream.emit('error', statusOf(error as NetworkError, call));
  }
}

/** An error as grpc-js sends it. */
function statusOf(refusal: NetworkError, call: Call): { code: number; details: string; metadata: Metadata } {
  const { status, message, detail } = encodeError(refusal, call);
  const metadata = new Metadata();
  metadata.set(detailTrailer, Buffer.from(detail));
  return { code: status, details: message, metadata };
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
