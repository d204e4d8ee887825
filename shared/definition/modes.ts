/**
 * Lives here: a network's forward mode, and which modes vnet builds itself.
 * Does not know: the other elements.
 */
import type { ForwardMode } from './forward.js';
import type { NetworkDefinition } from './network.js';

/** A forward mode, or `none` for an isolated network, which has no forward element. */
export type NetworkMode = ForwardMode | 'none';

const managedModes: ReadonlySet<NetworkMode> = new Set(['none', 'nat', 'route', 'open']);

/** The network's mode; `none` if it is isolated. */
export function networkMode({ forward }: Pick<NetworkDefinition, 'forward'>): NetworkMode {
  return forward?.mode ?? 'none';
}

/** Whether vnet owns the network's bridge, with its addresses, DHCP, DNS and firewall. */
export function isManaged(definition: Pick<NetworkDefinition, 'forward'>): boolean {
  return managedModes.has(networkMode(definition));
}

/** Whether the network hangs its guests on a bridge that somebody else made. */
export function usesHostBridge({ forward, bridge }: Pick<NetworkDefinition, 'forward' | 'bridge'>): boolean {
  return forward?.mode === 'bridge' && bridge?.name !== undefined;
}

/** A mode in words for a message: `isolated`, `forward mode 'nat'`. */
export function describeMode(definition: Pick<NetworkDefinition, 'forward'>): string {
  const mode = networkMode(definition);
  return mode === 'none' ? 'an isolated network' : `forward mode '${mode}'`;
}
