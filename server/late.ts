/**
 * Lives here: gRPC services of libraries that are loaded when they are first
 * called: it takes a tenth of a second, which networks that start with the
 * host need more. Does not know: which services.
 */
import type { MethodDefinition, Server, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';

/** How a method is called: what a server must know of it before. */
export type Shape = Pick<MethodDefinition<unknown, unknown>, 'path' | 'requestStream' | 'responseStream'>;

/** What a library puts on a server. */
export interface LateService {
  definition: ServiceDefinition;
  implementation: UntypedServiceImplementation;
}

/** A service with these methods, whose words and answers are those of what is loaded. */
export function openLate(methods: Record<string, Shape>, load: () => LateService): LateService {
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
      requestDeserialize: (bytes) => method(name).requestDeserialize(bytes),
      responseSerialize: (message) => method(name).responseSerialize(message),
      requestSerialize: neverAsked, responseDeserialize: neverAsked,
    };
    implementation[name] = ((...given: unknown[]) => method(name).handle(...given)) as UntypedServiceImplementation[string];
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

function neverAsked(): never {
  throw new Error('a server neither writes requests nor reads answers');
}
