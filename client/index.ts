/** The package `vnetd` for programs: connect to a host's virtual networks. */
export { connect, defaultTimeoutMs, type ConnectedDriver, type ConnectOptions } from './connect.js';
export * from './connection.js';
export * from './network.js';
export { Administration, type CallerIdentity, type ClientInfo, type LogLevel, type Right, type Self } from './admin.js';
export type { Diagnosis } from './diagnosis.js';
export { NetworkPort, type AttachmentRequest, type MadePort, type PortDescription, type PortOptions, type PortParameters } from './port.js';
export type { NetworkEvent, WatchOptions } from './watch.js';
export { ErrorCode, errorCodeName, NetworkError, type Problem } from '../shared/errors.js';
export type {
  Attachment, DamagedFile, DhcpLease, GetStatusResponse, HostChange, NetworkDriver, NetworkFault, NetworkRepair, NetworkStatus, NetworkSummary, NetworkUpdateResponse,
} from '../shared/gen/vnet/v1/network_driver.js';
export { EventKind, LeaseType } from '../shared/gen/vnet/v1/network_driver.js';
export type { Transport } from '../shared/uri.js';
export { updateCommands, updateSections, type UpdateCommandWord, type UpdateSectionWord } from '../shared/update-words.js';
export { version } from '../shared/version.js';
