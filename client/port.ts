/**
 * Lives here: the object API of a port: a guest's place on a network. Does not
 * know: transports; everything goes through a NetworkDriver.
 */
import { ErrorCode, NetworkError } from '../shared/errors.js';
import type { Attachment, NetworkPort as PortHandle } from '../shared/gen/vnet/v1/network_driver.js';
import { listParameters, nameParameters } from '../shared/port-parameters.js';
import type { Network } from './network.js';

/** What vnet is to plug in for the guest: one of three. */
export type AttachmentRequest =
  /** A tap device for a virtual machine. `device`: vnet%d unless given; `owner`, `group`: who may open it. */
  | { tap: { device?: string; owner?: string; group?: string; queues?: number } }
  /** A pair of devices, one of them in a namespace, `eth0` unless `guestDevice` is given. */
  | { veth: { netns: string; guestDevice?: string; device?: string } }
  /** A device that is there. */
  | { existing: { device: string } };

/** How to make a port. */
export interface PortOptions {
  /** The guest runs already, on the plug that the document names: only enter it in the books. */
  reclaim?: boolean;
  /** Refuse elements and attributes that the format does not know, instead of leaving them out. */
  validate?: boolean;
  /** What vnet plugs in; without one, the caller does. */
  attachment?: AttachmentRequest;
}

/** A port that a document made, and what the host says about it. */
export interface MadePort {
  port: NetworkPort;
  /** What the network decided: libvirt's network port XML. */
  xml: string;
  /** The device on the host that was plugged in; absent if none was. */
  device?: string;
  /** What was left out or assumed, in sentences for a person. */
  warnings: string[];
}

/** A port at one moment. */
export interface PortDescription {
  /** libvirt's network port XML. */
  xml: string;
  /** The device on the host that vnet plugged in; absent if it did not. */
  device?: string;
  /** How it is plugged in; absent as above. */
  attachment?: Attachment;
}

/**
 * A port's bandwidth by libvirt's names: `inbound.average`, `inbound.peak`,
 * `inbound.floor`, `inbound.burst`, `outbound.average`, `outbound.peak`,
 * `outbound.burst`. Burst in KiB, the others in kilobytes per second.
 */
export type PortParameters = Record<string, number>;

/** One port of a network. It holds no state but its UUID: every verb asks the host, and throws NetworkError. */
export class NetworkPort {
  readonly network: Network;
  /** The UUID, unique on its network: 36 characters, lower case, with dashes. */
  readonly uuid: string;

  constructor(network: Network, { uuid }: PortHandle) {
    this.network = network;
    this.uuid = uuid;
  }

  /** Its document: libvirt's network port XML. @throws {NetworkError} NO_NETWORK_PORT */
  async xml(): Promise<string> {
    return (await this.describe()).xml;
  }

  /** Its document, and the device that vnet plugged in. @throws {NetworkError} NO_NETWORK_PORT */
  async describe(): Promise<PortDescription> {
    const { xml, device, attachment } = await this.#driver.networkPortGetXmlDesc({ port: this.#handle });
    return { xml, ...(device === '' ? {} : { device }), ...(attachment === undefined ? {} : { attachment }) };
  }

  /** Its bandwidth: all fields of a direction that is limited, none of one that is not. */
  async parameters(): Promise<PortParameters> {
    return nameParameters((await this.#driver.networkPortGetParameters({ port: this.#handle })).parameters);
  }

  /** Replaces its bandwidth, at once. @throws {NetworkError} OPERATION_INVALID if the network is inactive or cannot promise the floor */
  async setParameters(parameters: PortParameters): Promise<void> {
    await this.#driver.networkPortSetParameters({ port: this.#handle, parameters: listParameters(parameters) });
  }

  /** Removes it, with the device that vnet made for it. */
  async delete(): Promise<void> {
    await this.#driver.networkPortDelete({ port: this.#handle });
  }

  get #driver() {
    return this.network.connection.driver;
  }

  get #handle(): PortHandle {
    return { network: { name: this.network.name, uuid: this.network.uuid }, uuid: this.uuid };
  }
}

/** Makes a port on a network. @throws {NetworkError} with `problems` if the document is refused */
export async function createPort(network: Network, xml: string, options: PortOptions): Promise<MadePort> {
  const { reclaim = false, validate = false, attachment } = options;
  const { port, device, warnings, xml: decided } = await network.connection.driver.networkPortCreateXml({
    network: { name: network.name, uuid: network.uuid }, xml, reclaim, validate, attachment: requestOf(attachment),
  });
  return { port: portOf(network, port), xml: decided, ...(device === '' ? {} : { device }), warnings };
}

/** A port that an answer names. */
export function portOf(network: Network, handle: PortHandle | undefined): NetworkPort {
  if (handle === undefined) throw new NetworkError(ErrorCode.RPC, `the answer of ${network.connection.uri} names no port`);
  return new NetworkPort(network, handle);
}

function requestOf(asked: AttachmentRequest | undefined): Attachment | undefined {
  if (asked === undefined) return undefined;
  if ('tap' in asked) return { tap: { device: '', owner: '', group: '', queues: 0, ...asked.tap } };
  if ('veth' in asked) return { veth: { guestDevice: '', device: '', ...asked.veth } };
  return asked;
}
