/**
 * Lives here: from a gRPC path to a method of the driver, and from what the
 * method throws to a status. The table is made by a loop over the generated
 * service definition. Does not know: sockets, networks.
 */
import { randomUUID } from 'node:crypto';
import {
  Metadata, type sendUnaryData, type ServerUnaryCall, type ServiceDefinition, type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ErrorCode, errorCodeName, NetworkError } from '../shared/errors.js';
import { NetworkDriverDefinition, type NetworkDriver } from '../shared/gen/vnet/v1/network_driver.js';
import { changes, type Procedure } from '../shared/procedures.js';
import { detailTrailer, encodeError } from '../shared/status.js';
import { authorize, type Caller } from './access.js';
import type { Log } from './log.js';

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

type DriverMethod = (request: unknown, abortSignal?: AbortSignal) => Promise<unknown>;

/** The driver's procedures for one caller. */
export function createDispatch(driver: NetworkDriver, caller: Caller, log: Log): Dispatch {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [key, generated] of Object.entries(NetworkDriverDefinition.methods)) {
    if (generated.responseStream) continue;
    const procedure = generated as unknown as GeneratedMethod;
    const method = driver[key as keyof NetworkDriver].bind(driver) as DriverMethod;
    definition[key] = {
      path: `/${NetworkDriverDefinition.fullName}/${procedure.name}`,
      requestStream: false,
      responseStream: false,
      // Bytes as they are: the caller is checked before the request is read.
      requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs,
      originalName: key,
    };
    implementation[key] = (call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>) => {
      void answer(procedure, method, caller, call, respond, log);
    };
  }
  return { definition, implementation };
}

/** Answers one call, whatever happens. */
async function answer(
  procedure: GeneratedMethod, method: DriverMethod, caller: Caller,
  call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>, log: Log,
): Promise<void> {
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
    const { status, message, detail } = encodeError(refusal);
    const metadata = new Metadata();
    metadata.set(detailTrailer, Buffer.from(detail));
    respond({ code: status as number, details: message, metadata });
  }
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
