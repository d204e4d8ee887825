/**
 * Lives here: giving a lease back in its client's place, with the message that
 * the client would send: dnsmasq forgets it at once and goes on. Does not
 * know: where leases are kept.
 *
 * A datagram of this host to its own address arrives at the interface that has
 * the address, so it needs no rights; one to a multicast group comes back.
 */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { addressToNumber } from '../../shared/address.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { HostLease } from '../driver/host.js';
import { step } from '../step.js';
import { safeAddress, safeInterface } from './safe-text.js';

/** Numbers of RFC 2131 and 2132. */
const dhcp = { request: 1, ethernet: 1, port: 67, cookie: [0x63, 0x82, 0x53, 0x63], messageType: 53, release: 7, serverId: 54, clientId: 61, end: 255 } as const;

/** Numbers of RFC 8415. */
const dhcpv6 = { group: 'ff02::1:2', serverPort: 547, clientPort: 546, release: 8, clientId: 1, serverId: 2, iaNa: 3, iaAddress: 5, elapsedTime: 8 } as const;

/**
 * A DHCPRELEASE.
 *
 * @param server the address that the lease was given out from
 * @throws {NetworkError} INTERNAL_ERROR for a lease without a MAC address
 */
export function renderRelease({ address, mac, clientId }: HostLease, server: string): Buffer {
  if (mac === undefined) throw new NetworkError(ErrorCode.INTERNAL_ERROR, `the lease of ${address} has no MAC address, so it cannot be given back for its client`);
  const head = Buffer.alloc(236);
  head.set([dhcp.request, dhcp.ethernet, 6], 0);
  randomBytes(4).copy(head, 4);
  addressBytes(address, 4).copy(head, 12);
  hexBytes(mac).copy(head, 28);
  const id = clientId === undefined ? [] : [dhcp.clientId, hexBytes(clientId).length, ...hexBytes(clientId)];
  const options = [...dhcp.cookie, dhcp.messageType, 1, dhcp.release, dhcp.serverId, 4, ...addressBytes(server, 4), ...id, dhcp.end];
  // Older relays and servers take nothing shorter than 300 bytes.
  return Buffer.concat([head, Buffer.from(options), Buffer.alloc(Math.max(0, 300 - head.length - options.length))]);
}

/**
 * A DHCPv6 Release.
 *
 * @param serverDuid the DUID of the server that gave the lease out, as `00:01:...`
 * @throws {NetworkError} INTERNAL_ERROR for a lease without a DUID
 */
export function renderReleaseV6({ address, iaid, clientId }: HostLease, serverDuid: string): Buffer {
  if (clientId === undefined || iaid === undefined) throw new NetworkError(ErrorCode.INTERNAL_ERROR, `the lease of ${address} has no DUID, so it cannot be given back for its client`);
  const identity = Buffer.alloc(12);
  identity.writeUInt32BE(Number(iaid) >>> 0);
  return Buffer.concat([
    Buffer.from([dhcpv6.release]), randomBytes(3),
    option(dhcpv6.clientId, hexBytes(clientId)), option(dhcpv6.serverId, hexBytes(serverDuid)), option(dhcpv6.elapsedTime, Buffer.alloc(2)),
    option(dhcpv6.iaNa, Buffer.concat([identity, option(dhcpv6.iaAddress, Buffer.concat([addressBytes(address, 16), Buffer.alloc(8)]))])),
  ]);
}

/** Sends a DHCPRELEASE to the dnsmasq that serves an address of this host. */
export async function sendRelease(lease: HostLease, server: string): Promise<void> {
  step('send a release');
  await send(createSocket('udp4'), renderRelease(lease, safeAddress(server)), dhcp.port, safeAddress(server));
}

/**
 * Sends a DHCPv6 Release to the dnsmasq that serves a bridge.
 *
 * @throws {NetworkError} INTERNAL_ERROR if the bridge has no link-local
 * address, which it gets with its first guest
 */
export async function sendReleaseV6(lease: HostLease, serverDuid: string, bridge: string): Promise<void> {
  const name = safeInterface(bridge);
  const local = networkInterfaces()[name]?.find(({ address }) => address.startsWith('fe80:'))?.address;
  if (local === undefined) throw new NetworkError(ErrorCode.INTERNAL_ERROR, `'${name}' has no link-local address, so nothing can be sent there`);
  const message = renderReleaseV6(lease, serverDuid);
  step('send a release');
  const socket = createSocket({ type: 'udp6', reuseAddr: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject).bind({ address: `${local}%${name}`, port: dhcpv6.clientPort }, resolve);
  }).catch((error: unknown) => { socket.close(); throw error; });
  socket.setMulticastInterface(`::%${name}`);
  socket.setMulticastLoopback(true);
  await send(socket, message, dhcpv6.serverPort, `${dhcpv6.group}%${name}`);
}

function send(socket: Socket, message: Buffer, port: number, address: string): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    socket.once('error', reject).send(message, port, address, (error) => (error === null ? resolve() : reject(error)));
  }).finally(() => socket.close());
}

function option(code: number, content: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(code, 0);
  head.writeUInt16BE(content.length, 2);
  return Buffer.concat([head, content]);
}

function addressBytes(address: string, length: number): Buffer {
  return Buffer.from(addressToNumber(safeAddress(address)).toString(16).padStart(length * 2, '0'), 'hex');
}

function hexBytes(text: string): Buffer {
  const bytes = text.split(':');
  if (!bytes.every((byte) => /^[0-9a-f]{2}$/i.test(byte)) || bytes.length > 255) throw new NetworkError(ErrorCode.INTERNAL_ERROR, `'${text}' is no client identifier`);
  return Buffer.from(bytes.join(''), 'hex');
}
