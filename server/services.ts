/**
 * Lives here: which gRPC services a client finds: the driver, sessions,
 * health and reflection. Does not know: sockets.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import type { Calls } from './calls.js';
import type { Connections } from './connections.js';
import { createDispatch } from './dispatch.js';
import { Health } from './health.js';
import type { Furnish } from './listen.js';
import { createSessions } from './session/attach.js';
import { sessionLimits, type SessionLimits } from './session/limits.js';

/** The protocol files, relative to the package's folder `proto`. */
const protocol = [
  'vnet/v1/network_driver.proto', 'vnet/v1/admin.proto', 'vnet/v1/session.proto', 'vnet/v1/error.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto',
];

/** What services may be given. */
export interface ServiceOptions {
  /** What one session may ask. */
  limits?: SessionLimits;
  /** Tells how the daemon is. */
  health?: Health;
}

/** What to put on each server: the driver, sessions, health, reflection. */
export function createServices(calls: Calls, connections: Connections, { limits = sessionLimits, health = new Health() }: ServiceOptions = {}): Furnish {
  const reflection = new ReflectionService(loadProtocol());
  return (server) => {
    const { definition, implementation } = createDispatch(calls, connections);
    server.addService(definition, implementation);
    const sessions = createSessions(calls, connections, limits);
    server.addService(sessions.definition, sessions.implementation);
    reflection.addToServer(server);
    health.addTo(server);
  };
}

function loadProtocol(): PackageDefinition {
  return loadSync(protocol, { includeDirs: [protocolFolder()], keepCase: true });
}

/** The folder `proto` of this package: built code lies deeper in it than its source. */
function protocolFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return join(folder, 'proto');
}
