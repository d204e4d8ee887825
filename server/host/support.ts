/**
 * Lives here: what a definition may ask of the Linux host, said before anything
 * is touched. Does not know: how it is done.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { isManaged, networkMode, usesHostBridge, type NetworkDefinition } from '../../shared/definition/index.js';
import type { NetworkPlan } from '../driver/host.js';

/** Elements of a network that this host does not apply, each with whether a definition asks for it. */
const unsupported: Record<string, (definition: NetworkDefinition) => boolean> = {
  "domain/@register='yes'": ({ domain }) => domain?.register === true,
  // The queues of a bridge that somebody else made are somebody else's too.
  bandwidth: (definition) => !isManaged(definition) && (definition.bandwidth?.inbound ?? definition.bandwidth?.outbound) !== undefined,
  vlan: (definition) => definition.vlan !== undefined && !usesHostBridge(definition) && networkMode(definition) !== 'hostdev',
  virtualport: ({ virtualPort, ...definition }) => virtualPort !== undefined && !(virtualPort.type === 'openvswitch' && usesHostBridge(definition)),
};

/**
 * Refuses a network that would not be what its definition says.
 *
 * @throws {NetworkError} CONFIG_UNSUPPORTED naming the element
 */
export function refuseUnsupported({ name, definition }: NetworkPlan): void {
  const refuse = (what: string) => new NetworkError(ErrorCode.CONFIG_UNSUPPORTED, `${what} of network '${name}' is not supported on this host`, {
    hint: 'the definition is kept; the network can be started once this is taken out of it',
  });
  for (const [element, asked] of Object.entries(unsupported)) {
    if (asked(definition)) throw refuse(`network/${element}`);
  }
}
