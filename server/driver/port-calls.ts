/**
 * Lives here: the port calls of the driver interface: a request's fields to a
 * step, and its result to an answer. Does not know: the steps.
 */
import { canonicalUuid } from '../../shared/address.js';
import { formatNetworkPort, type Bandwidth, type BandwidthDirection } from '../../shared/definition/index.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { listParameters, nameParameters } from '../../shared/port-parameters.js';
import type { NetworkDriver } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Estate } from './lifecycle.js';
import { portHandle, portsOf, requireLive } from './port-book.js';
import { showAttachment } from './port-device.js';
import { createPort, deletePort, findPort, setPortBandwidth } from './ports.js';

/** The calls of the driver interface that are about ports. */
export type PortCalls = Pick<NetworkDriver, Extract<keyof NetworkDriver, `networkPort${string}`> | 'networkListAllPorts'>;

/** Each direction's parameters, in libvirt's order of giving them. */
const fields = {
  inbound: ['average', 'peak', 'floor', 'burst'],
  outbound: ['average', 'peak', 'burst'],
} as const satisfies Record<string, readonly (keyof BandwidthDirection)[]>;

/** The largest burst that tc can count, in KiB; as in a document. */
const highestBurst = 2 ** 22 - 1;

/** The port calls over an estate. */
export function openPortCalls(estate: Estate): PortCalls {
  return {
    networkPortLookupByUuid: async ({ network, uuid }) => {
      if (canonicalUuid(uuid) === undefined) throw new NetworkError(ErrorCode.INVALID_ARG, `malformed uuid '${uuid}'`);
      const { record, port } = findPort(estate, { network, uuid });
      return { port: portHandle(record, port) };
    },
    networkPortCreateXml: async ({ network, xml, reclaim, validate, attachment }) => {
      const record = estate.register.find(network);
      const { port, warnings } = await createPort(estate, record, { xml, reclaim, strict: validate, attachment });
      return { port: portHandle(record, port), xml: formatNetworkPort(port.definition), device: port.attachment?.device ?? '', warnings };
    },
    networkPortGetXmlDesc: async ({ port: handle }) => {
      const { port: { definition, attachment } } = findPort(estate, handle);
      return { xml: formatNetworkPort(definition), device: attachment?.device ?? '', attachment: showAttachment(attachment) };
    },
    networkPortGetParameters: async ({ port: handle }) => ({ parameters: listParameters(parametersOf(findPort(estate, handle).port.definition.bandwidth)) }),
    networkPortSetParameters: async ({ port: handle, parameters }) => {
      await setPortBandwidth(estate, handle, bandwidthOf(nameParameters(parameters)));
      return {};
    },
    networkPortDelete: async ({ port: handle }) => {
      await deletePort(estate, handle);
      return {};
    },
    networkListAllPorts: async ({ network }) => {
      const record = estate.register.find(network);
      const ports = portsOf(record);
      if (ports.length === 0) requireLive(record);
      return { ports: ports.map((port) => portHandle(record, port)) };
    },
  };
}

/** All fields of a direction that is limited, none of one that is not; as libvirt gives them. */
function parametersOf(bandwidth: Bandwidth | undefined): Record<string, number> {
  return Object.fromEntries((['inbound', 'outbound'] as const).flatMap((direction) => {
    const limits = bandwidth?.[direction];
    return limits === undefined ? [] : fields[direction].map((field) => [`${direction}.${field}`, limits[field] ?? 0]);
  }));
}

/** @throws {NetworkError} INVALID_ARG, CONFIG_UNSUPPORTED, OVERFLOW */
function bandwidthOf(parameters: Record<string, number>): Bandwidth | undefined {
  const known: string[] = (['inbound', 'outbound'] as const).flatMap((direction) => fields[direction].map((field) => `${direction}.${field}`));
  const unknown = Object.keys(parameters).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new NetworkError(ErrorCode.INVALID_ARG, `parameter '${unknown}' is not known; there are ${known.join(', ')}`);
  const inbound = directionOf('inbound', parameters);
  const outbound = directionOf('outbound', parameters);
  if (inbound === undefined && outbound === undefined) return undefined;
  return { ...(inbound === undefined ? {} : { inbound }), ...(outbound === undefined ? {} : { outbound }) };
}

/** A direction without average and floor is not limited; what limits nothing is not kept. */
function directionOf(direction: 'inbound' | 'outbound', parameters: Record<string, number>): BandwidthDirection | undefined {
  const limits: BandwidthDirection = Object.fromEntries(fields[direction]
    .map((field) => [field, parameters[`${direction}.${field}`] ?? 0] as const).filter(([, value]) => value !== 0));
  if (limits.average === undefined && limits.floor === undefined) return undefined;
  if (limits.average === undefined && (limits.peak ?? limits.burst) !== undefined) {
    throw new NetworkError(ErrorCode.CONFIG_UNSUPPORTED, `${direction}.peak and ${direction}.burst need ${direction}.average`);
  }
  if ((limits.burst ?? 0) > highestBurst) {
    throw new NetworkError(ErrorCode.OVERFLOW, `${direction}.burst is ${limits.burst}, which is more than tc can count; at most ${highestBurst}`);
  }
  return limits;
}
