/**
 * Lives here: which gRPC services a client finds: the driver, health and
 * reflection. Does not know: sockets.
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

/** The protocol files, relative to the package's folder `proto`. */
const protocol = ['vnet/v1/network_driver.proto', 'vnet/v1/error.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto'];

/** What to put on each server: the driver, health, reflection. */
export function createServices(calls: Calls, connections: Connections, health = new Health()): Furnish {
  const reflection = new ReflectionService(loadProtocol());
  return (server) => {
    const { definition, implementation } = createDispatch(calls, connections);
    server.addService(definition, implementation);
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
