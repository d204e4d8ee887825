/**
 * Lives here: what there is to permit, and which permission each procedure of
 * the contract needs. Does not know: who has which.
 *
 * The names are libvirt's. The comments of the contract say the same; a test
 * compares them.
 */
import type { Admin } from '../../shared/gen/vnet/v1/admin.js';
import type { NetworkDriver, NetworkUpdateRequest, NetworkSetMetadataRequest } from '../../shared/gen/vnet/v1/network_driver.js';

/** What concerns the connection, and no network. */
export const connectPermissions = ['connect:getattr', 'connect:read', 'connect:search-networks'] as const;

/** What concerns a network, or a port of it. */
export const networkPermissions = [
  'network:getattr', 'network:read', 'network:write', 'network:save', 'network:delete', 'network:start', 'network:stop', 'network:search-ports',
  'network-port:getattr', 'network-port:read', 'network-port:write', 'network-port:create', 'network-port:delete',
] as const;

/** Every permission there is. `admin` is about the daemon itself. */
export const permissions = [...connectPermissions, ...networkPermissions, 'admin'] as const;

/** One thing that somebody may do. */
export type Permission = (typeof permissions)[number];

/** Permissions that go together. `admin` is in none of them: it must be named. */
export const shorthands = {
  /** To see everything, and change nothing. */
  read: [
    ...connectPermissions, 'network:getattr', 'network:read', 'network:search-ports', 'network-port:getattr', 'network-port:read',
  ],
  /** To use networks as they are defined: start and stop them, plug guests in. */
  operate: [
    ...connectPermissions, 'network:getattr', 'network:read', 'network:search-ports', 'network:start', 'network:stop',
    ...networkPermissions.filter((permission) => permission.startsWith('network-port:')),
  ],
  /** Everything about networks. */
  all: [...connectPermissions, ...networkPermissions],
} as const satisfies Record<string, readonly Permission[]>;

/** What a procedure needs. */
export interface Requirement<Request = never> {
  /** All of these, on the network that it is about. */
  readonly needs: readonly Permission[];
  /** One more, if the request asks for more. */
  readonly also?: { readonly permission: Permission; /** In words, for the contract. */ readonly when: string; applies(request: Request): boolean };
  /** It tells of many networks, and leaves out those on which the caller does not have all of these. */
  readonly shows?: readonly Permission[];
}

/** Whether a change is one of the saved definition: always, but where `live` alone is asked for. */
const saves = (request: Pick<NetworkUpdateRequest | NetworkSetMetadataRequest, 'live' | 'config'>): boolean => request.config || !request.live;
const save = { permission: 'network:save', when: 'unless only `live` is set', applies: saves } as const;

/** What each procedure of the driver needs. One that is missing here does not compile. */
export const driverRequirements = {
  open: { needs: ['connect:getattr'] },
  close: { needs: [] },
  numOfNetworks: { needs: ['connect:search-networks'], shows: ['network:getattr'] },
  listNetworks: { needs: ['connect:search-networks'], shows: ['network:getattr'] },
  numOfDefinedNetworks: { needs: ['connect:search-networks'], shows: ['network:getattr'] },
  listDefinedNetworks: { needs: ['connect:search-networks'], shows: ['network:getattr'] },
  listAllNetworks: { needs: ['connect:search-networks'], shows: ['network:getattr', 'network:read'] },
  networkLookupByUuid: { needs: ['network:getattr'] },
  networkLookupByName: { needs: ['network:getattr'] },
  networkCreateXml: { needs: ['network:write', 'network:start'] },
  networkDefineXml: { needs: ['network:write', 'network:save'] },
  networkListRevisions: { needs: ['network:read'] },
  networkUndefine: { needs: ['network:delete'] },
  networkCreate: { needs: ['network:start'] },
  networkDestroy: { needs: ['network:stop'] },
  networkDumpXml: { needs: ['network:read'] },
  networkGetBridgeName: { needs: ['network:read'] },
  networkGetAutostart: { needs: ['network:read'] },
  networkSetAutostart: { needs: ['network:write'] },
  networkIsActive: { needs: ['network:read'] },
  networkIsPersistent: { needs: ['network:read'] },
  networkGetDhcpLeases: { needs: ['network:read'] },
  networkReleaseDhcpLease: { needs: ['network:write'] },
  networkUpdate: { needs: ['network:write'], also: save },
  networkGetMetadata: { needs: ['network:read'] },
  networkSetMetadata: { needs: ['network:write'], also: save },
  watchNetworkEvents: { needs: ['connect:search-networks'], shows: ['network:getattr'] },
  networkPortLookupByUuid: { needs: ['network-port:getattr'] },
  networkPortCreateXml: { needs: ['network-port:create'] },
  networkPortGetXmlDesc: { needs: ['network-port:read'] },
  networkPortGetParameters: { needs: ['network-port:read'] },
  networkPortSetParameters: { needs: ['network-port:write'] },
  networkPortDelete: { needs: ['network-port:delete'] },
  networkListAllPorts: { needs: ['network:search-ports', 'network-port:getattr'] },
  diagnose: { needs: ['connect:read'], shows: ['network:getattr', 'network:read'] },
  getStatus: { needs: ['connect:read'], shows: ['network:getattr', 'network:read'] },
} as const satisfies { [Key in keyof NetworkDriver]: Requirement<Parameters<NetworkDriver[Key]>[0]> };

/** What each procedure of the daemon needs. */
export const adminRequirements = {
  whoAmI: { needs: [] },
  listClients: { needs: ['admin'] },
  disconnectClient: { needs: ['admin'] },
  getLogLevel: { needs: ['admin'] },
  setLogLevel: { needs: ['admin'] },
} as const satisfies { [Key in keyof Admin]: Requirement<Parameters<Admin[Key]>[0]> };

/** What a procedure needs, by the name of its service and its name in the generated interface. */
export const requirements: { readonly [service: string]: { readonly [key: string]: Requirement<never> } } = {
  NetworkDriver: driverRequirements, Admin: adminRequirements,
};

/** A requirement as the contract's comments have it: `network:write, network:save unless only \`live\` is set`. */
export function formatRequirement({ needs, also, shows }: Requirement<never>): string {
  const each = shows === undefined ? '' : `; of each network ${shows.join(', ')}`;
  const more = also === undefined ? '' : `, ${also.permission} ${also.when}`;
  return `${needs.join(', ') || 'none'}${more}${each}`;
}
