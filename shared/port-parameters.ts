/**
 * Lives here: a port's parameters by their names, and as the list that they
 * are on the wire. Does not know: which there are.
 */
import type { NetworkPortParameter } from './gen/vnet/v1/network_driver.js';

/** Parameters by name: `{ 'inbound.average': 1000 }`. */
export type ParametersByName = Record<string, number>;

/** The list of parameters. */
export function listParameters(parameters: ParametersByName): NetworkPortParameter[] {
  return Object.entries(parameters).map(([name, value]) => ({ name, value }));
}

/** Parameters by name; of a name that is there twice, the last. */
export function nameParameters(parameters: readonly NetworkPortParameter[]): ParametersByName {
  return Object.fromEntries(parameters.map(({ name, value }) => [name, value]));
}
