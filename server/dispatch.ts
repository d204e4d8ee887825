/**
 * Lives here: from a gRPC path to a method of the driver, and from what the
 * method throws to a status. The table is made by a loop over the generated
 * service definition. Does not know: sockets, networks.
 */
import { randomUUID } from 'node:crypto';
import {
  Metadata, type sendUnaryData, type ServerUnaryCall, type ServerWritableStream, type ServiceDefinition, type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ErrorCode, errorCodeName, NetworkError } from '../shared/errors.js';
import { NetworkDriverDefinition, type NetworkDriver } from '../shared/gen/vnet/v1/network_driver.js';
import { changes, type Procedure } from '../shared/procedures.js';
import { detailTrailer, encodeError } from '../shared/status.js';
import { authorize, type Caller } from './access.js';
import type { Log } from './log.js';
import { Stopping } from './stopping.js';
import { pour } from './stream.js';

/** A service as grpc-js wants it: what there is, and what answers. */
export interface Dispatch {
  definition: ServiceDefinition;
  implementation: UntypedServiceImplementation;
}

/** A codec of a generated message. */
interface Codec {
  decode(bytes: Uint8Array): unknown;
  encode(message: unknown): { finish(): Uint8Array };
}

type GeneratedMethod = Procedure & { requestType: Codec; responseType: Codec };

type UnaryMethod = (request: unknown, abortSignal?: AbortSignal) => Promise<unknown>;

type StreamMethod = (request: unknown, abortSignal: AbortSignal) => AsyncIterable<object>;

/** What a call is answered for. */
interface Duty {
  procedure: GeneratedMethod;
  caller: Caller;
  stopping: Stopping;
  log: Log;
}

/** The driver's procedures for one caller. */
export function createDispatch(driver: NetworkDriver, caller: Caller, log: Log, stopping = new Stopping()): Dispatch {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [key, generated] of Object.entries(NetworkDriverDefinition.methods)) {
    const procedure = generated as unknown as GeneratedMethod;
    const method: unknown = driver[key as keyof NetworkDriver].bind(driver);
    const duty: Duty = { procedure, caller, stopping, log };
    definition[key] = {
      path: `/${NetworkDriverDefinition.fullName}/${procedure.name}`,
      requestStream: false,
      responseStream: generated.responseStream,
      // Bytes as they are: the caller is checked before the request is read.
      requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs,
      originalName: key,
    };
    implementation[key] = generated.responseStream
      ? (call: ServerWritableStream<Buffer, Buffer>) => void answerStream(duty, method as StreamMethod, call)
      : (call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>) =>
        void stopping.during(() => answer(duty, method as UnaryMethod, call, respond));
  }
  return { definition, implementation };
}

/** Answers one call, whatever happens. */
async function answer({ procedure, caller, log }: Duty, method: UnaryMethod, call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>): Promise<void> {
  const started = performance.now();
  const fields = { procedure: procedure.name, listener: caller.listener };
  const level = changes(procedure) ? 'info' : 'debug';
  try {
    authorize(caller, procedure);
    const response = await method(decode(procedure, call.request));
    respond(null, Buffer.from(procedure.responseType.encode(response).finish()));
    const ms = Math.round((performance.now() - started) * 10) / 10;
    log[level]({ ...fields, ms }, 'call done');
  } catch (error) {
    const refusal = asNetworkError(error, fields, log);
    log[level]({ ...fields, code: errorCodeName(refusal.code), reason: refusal.message }, 'call failed');
    respond(statusOf(refusal));
  }
}

/** Answers one call that gives a stream, until either side ends it. */
async function answerStream({ procedure, caller, stopping, log }: Duty, method: StreamMethod, call: ServerWritableStream<Buffer, Buffer>): Promise<void> {
  const fields = { procedure: procedure.name, listener: caller.listener };
  const over = new AbortController();
  const end = () => over.abort();
  call.once('cancelled', end);
  stopping.signal.addEventListener('abort', end);
  try {
    if (stopping.signal.aborted) end();
    authorize(caller, procedure);
    await pour(method(decode(procedure, call.request), over.signal), (message) => encodeOnce(procedure, message), call, over.signal);
    call.end();
    log.debug(fields, 'stream ended');
  } catch (error) {
    const refusal = stopping.signal.aborted ? stopped() : asNetworkError(error, fields, log);
    log.debug({ ...fields, code: errorCodeName(refusal.code), reason: refusal.message }, 'stream ended');
    if (!call.cancelled) call.emit('error', statusOf(refusal));
  } finally {
    stopping.signal.removeEventListener('abort', end);
  }
}

/** The bytes of messages that go to several callers. */
const encoded = new WeakMap<object, Buffer>();

function encodeOnce(procedure: GeneratedMethod, message: object): Buffer {
  const known = encoded.get(message);
  if (known !== undefined) return known;
  const bytes = Buffer.from(procedure.responseType.encode(message).finish());
  encoded.set(message, bytes);
  return bytes;
}

function stopped(): NetworkError {
  return new NetworkError(ErrorCode.RPC, 'vnetd is stopping', { hint: 'connect again when it has started' });
}

/** An error as grpc-js sends it. */
function statusOf(refusal: NetworkError): { code: number; details: string; metadata: Metadata } {
  const { status, message, detail } = encodeError(refusal);
  const metadata = new Metadata();
  metadata.set(detailTrailer, Buffer.from(detail));
  return { code: status, details: message, metadata };
}

function decode(procedure: GeneratedMethod, request: Buffer): unknown {
  try {
    return procedure.requestType.decode(request);
  } catch (error) {
    throw new NetworkError(ErrorCode.INVALID_ARG, `the request of ${procedure.name} is malformed: ${(error as Error).message}`);
  }
}

/** A NetworkError as it is; anything else is logged with its stack and leaves without its text. */
function asNetworkError(error: unknown, fields: object, log: Log): NetworkError {
  if (error instanceof NetworkError) return error;
  const incident = randomUUID();
  log.error({ ...fields, incident, err: error }, 'a call failed in an unforeseen way');
  return new NetworkError(ErrorCode.INTERNAL_ERROR, `vnetd failed in an unforeseen way; its log tells more under ${incident}`);
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}
