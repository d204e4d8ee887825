/**
 * Lives here: the leases of a network as callers see them, and taking one
 * back. Does not know: where the host has them from.
 */
import { addressToNumber, canonicalAddress, canonicalMac, subnetOf } from '../../shared/address.js';
import { prefixOfIp, type NetworkDefinition } from '../../shared/definition/index.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { LeaseType, type DhcpLease } from '../../shared/gen/vnet/v1/network_driver.js';
import type { HostLease } from './host.js';
import type { IdentifiedDefinition } from './identity.js';
import { planOf, type Estate } from './lifecycle.js';
import type { NetworkRecord } from './register.js';

/**
 * The leases of a network that have not expired, ordered by family and
 * address; an inactive network has none.
 *
 * @param mac if not empty: only those of this MAC address
 * @throws {NetworkError} INVALID_MAC
 */
export async function listLeases({ host }: Estate, record: NetworkRecord, mac: string): Promise<DhcpLease[]> {
  const wanted = mac === '' ? undefined : canonicalMac(mac);
  if (mac !== '' && wanted === undefined) throw new NetworkError(ErrorCode.INVALID_MAC, mac);
  const definition = record.live as IdentifiedDefinition | undefined;
  if (definition === undefined) return [];
  const leases = await host.leases(planOf(definition));
  return leases.filter((lease) => wanted === undefined || lease.mac === wanted).sort(byAddress).map((lease) => leaseOf(lease, definition));
}

/**
 * Takes a leased address back.
 *
 * @throws {NetworkError} INVALID_ARG if it is no address; OPERATION_INVALID if
 * the network is inactive or has no lease of it
 */
export async function releaseLease({ host }: Estate, record: NetworkRecord, text: string): Promise<void> {
  const parsed = canonicalAddress(text);
  if (parsed === undefined) throw new NetworkError(ErrorCode.INVALID_ARG, `'${text}' is no IP address`);
  if (record.live === undefined) throw new NetworkError(ErrorCode.OPERATION_INVALID, `network '${record.name}' is not active`);
  await host.releaseLease(planOf(record.live as IdentifiedDefinition), parsed.address);
}

/** A lease as callers see it; the prefix is that of the subnet the address lies in, 0 if it lies in none. */
export function leaseOf(lease: HostLease, definition: NetworkDefinition): DhcpLease {
  const prefix = definition.ips.map((ip) => ({ ip, prefix: prefixOfIp(ip) })).find(({ ip, prefix: bits }) =>
    ip.address.includes(':') === (lease.family === 'ipv6') &&
    subnetOf(ip.address, bits).network === subnetOf(lease.address, bits).network)?.prefix ?? 0;
  return {
    interface: definition.bridge?.name ?? '',
    expiryTime: lease.expiry,
    type: lease.family === 'ipv4' ? LeaseType.IPV4 : LeaseType.IPV6,
    mac: lease.mac ?? '',
    iaid: lease.iaid ?? '',
    ipAddress: lease.address,
    prefix,
    hostname: lease.hostname ?? '',
    clientId: lease.clientId ?? '',
  };
}

function byAddress(a: HostLease, b: HostLease): number {
  if (a.family !== b.family) return a.family < b.family ? -1 : 1;
  const [left, right] = [addressToNumber(a.address), addressToNumber(b.address)];
  return left < right ? -1 : left > right ? 1 : 0;
}
