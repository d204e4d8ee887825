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

/** What every daemon serves, read and ready. */
export interface Services {
  /** Tells how the daemon is. */
  health: Health;
  /** What to put on each server: the driver, sessions, health, reflection. */
  furnish(calls: Calls, connections: Connections, limits?: SessionLimits): Furnish;
}

/** Reads the protocol, which takes some tenths of a second in which this process does nothing else. */
export function loadServices(): Services {
  const [reflection, health] = [new ReflectionService(anyOf(loadProtocol())), new Health()];
  return {
    health,
    furnish: (calls, connections, limits = sessionLimits) => (server) => {
      const { definition, implementation } = createDispatch(calls, connections);
      server.addService(definition, implementation);
      const sessions = createSessions(calls, connections, limits);
      server.addService(sessions.definition, sessions.implementation);
      reflection.addToServer(server);
      health.addTo(server);
    },
  };
}

/**
 * One message of a protocol: it has all of the protocol's files with it, and
 * what is made of them, as every other has. Reflection would read them again
 * for each.
 */
function anyOf(protocol: PackageDefinition): PackageDefinition {
  return Object.fromEntries(Object.entries(protocol).filter(([, part]) => 'fileDescriptorProtos' in part).slice(0, 1));
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
