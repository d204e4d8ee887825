/**
 * Lives here: gRPC reflection: any tool can ask the daemon what it speaks.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Server } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { openLate, takeServices, type LateService, type Welcome } from './late.js';

/** The protocol files, relative to the package's folder `proto`. */
const protocol = [
  'vnet/v1/network_driver.proto', 'vnet/v1/admin.proto', 'vnet/v1/session.proto', 'vnet/v1/error.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto',
];

/** The services of reflection, in the order in which the library has them. */
const names = ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'];

/** Puts reflection on servers, for those who are welcome. */
export function openReflection(welcome: Welcome): (server: Server) => void {
  let loaded: LateService[] | undefined;
  const services = names.map((name, index) => openLate(
    { ServerReflectionInfo: { path: `/${name}/ServerReflectionInfo`, requestStream: true, responseStream: true } },
    () => (loaded ??= load())[index]!,
    welcome,
  ));
  return (server) => { for (const { definition, implementation } of services) server.addService(definition, implementation); };
}

function load(): LateService[] {
  const require = createRequire(import.meta.url);
  const { ReflectionService } = require('@grpc/reflection') as typeof import('@grpc/reflection');
  const { loadSync } = require('@grpc/proto-loader') as typeof import('@grpc/proto-loader');
  const reflection = new ReflectionService(anyOf(loadSync(protocol, { includeDirs: [protocolFolder()], keepCase: true })));
  return takeServices((server) => reflection.addToServer(server));
}

/**
 * One message of a protocol: it has all of the protocol's files with it, and
 * what is made of them, as every other has. Reflection would read them again
 * for each.
 */
function anyOf(loaded: PackageDefinition): PackageDefinition {
  return Object.fromEntries(Object.entries(loaded).filter(([, part]) => 'fileDescriptorProtos' in part).slice(0, 1));
}

/** The folder `proto` of this package: built code lies deeper in it than its source. */
function protocolFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return join(folder, 'proto');
}
