/**
 * Lives here: gRPC services of libraries that are loaded when they are first
 * called: it takes a tenth of a second, which networks that start with the
 * host need more. Does not know: which services, who may call them.
 */
import type {
  MethodDefinition, sendUnaryData, Server, ServerUnaryCall, ServerWritableStream, ServiceDefinition, UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ErrorCode, NetworkError } from '../shared/errors.js';
import { asIs, statusOf } from './dispatch.js';

/** How a method is called: what a server must know of it before. */
export type Shape = Pick<MethodDefinition<unknown, unknown>, 'path' | 'requestStream' | 'responseStream'>;

/** What a library puts on a server. */
export interface LateService {
  definition: ServiceDefinition;
  implementation: UntypedServiceImplementation;
}

/** Lets a call of a method pass. @throws {NetworkError} if its caller may not make it */
export type Welcome = (call: LateCall, name: string) => Promise<void>;

/** A call, as far as it is the same for every shape of method. */
export type LateCall = ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>;

/**
 * A service with these methods, whose words and answers are those of what is loaded.
 *
 * @param welcome is asked before anything is loaded
 */
export function openLate(methods: Record<string, Shape>, load: () => LateService, welcome: Welcome): LateService {
  let loaded: LateService | undefined;
  const method = (name: string) => {
    const { definition, implementation } = loaded ??= load();
    const { originalName = name, requestDeserialize, responseSerialize } = definition[name]!;
    return { requestDeserialize, responseSerialize, handle: (implementation[name] ?? implementation[originalName]) as (...given: unknown[]) => void };
  };
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [name, shape] of Object.entries(methods)) {
    definition[name] = {
      ...shape, originalName: name,
      // What is asked once is read when its caller is known; what is asked again and again is not taken before.
      requestDeserialize: shape.requestStream ? (bytes) => method(name).requestDeserialize(bytes) : asIs,
      responseSerialize: (message) => method(name).responseSerialize(message),
      requestSerialize: neverAsked, responseDeserialize: neverAsked,
    };
    implementation[name] = (async (call: LateCall, respond?: sendUnaryData<unknown>) => {
      try {
        await welcome(call, name);
        if (call.cancelled) return;
        const { requestDeserialize, handle } = method(name);
        if (!shape.requestStream) call.request = read(requestDeserialize, call.request as Buffer, name);
        handle(call, respond);
      } catch (error) {
        const status = statusOf(error as NetworkError);
        if (respond === undefined) call.emit('error', status);
        else respond(status);
      }
    }) as UntypedServiceImplementation[string];
  }
  return { definition, implementation };
}

/** What a library would put on a server, from what it does put on one. */
export function takeServices(add: (server: Server) => void): LateService[] {
  const services: LateService[] = [];
  const server: Pick<Server, 'addService'> = { addService: (definition, implementation) => { services.push({ definition, implementation }); } };
  add(server as Server);
  return services;
}

function read(deserialize: (bytes: Buffer) => unknown, bytes: Buffer, name: string): unknown {
  try {
    return deserialize(bytes);
  } catch (error) {
    throw new NetworkError(ErrorCode.INVALID_ARG, `the request of ${name} is malformed: ${(error as Error).message}`);
  }
}

function neverAsked(): never {
  throw new Error('a server neither writes requests nor reads answers');
}
