/**
 * Lives here: taking a leased address back from a dnsmasq that runs, and
 * making sure that it let go of it. Does not know: DHCP's messages.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { subnetContains } from '../../shared/address.js';
import { subnetOfIp } from '../../shared/definition/index.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { NetworkPlan } from '../driver/host.js';
import { parseServerDuid, readLeaseFile, readLeases } from './leases.js';
import { sendRelease, sendReleaseV6 } from './release.js';

/** How long dnsmasq may take, and how often it is told: a datagram can be lost. In milliseconds. */
const patienceMs = 2000;
const repeatMs = 500;

/**
 * Takes an address back.
 *
 * @param path the network's file of leases
 * @throws {NetworkError} OPERATION_INVALID if it is not leased; INTERNAL_ERROR
 * if dnsmasq does not let go of it
 */
export async function releaseLease(plan: NetworkPlan, path: string, address: string): Promise<void> {
  const find = async () => (await readLeases(path)).find((lease) => lease.address === address);
  const lease = await find();
  if (lease === undefined) {
    throw new NetworkError(ErrorCode.OPERATION_INVALID, `network '${plan.name}' has no lease of ${address}`, { hint: `see its leases with: vnet leases ${plan.name}` });
  }
  const tell = async () => {
    if (lease.family === 'ipv6') return sendReleaseV6(lease, parseServerDuid((await readLeaseFile(path)).text) ?? '', plan.bridge);
    const server = plan.definition.ips.find((ip) => subnetContains(subnetOfIp(ip), address));
    return sendRelease(lease, server?.address ?? '');
  };
  const deadline = performance.now() + patienceMs;
  for (let toldAt = -Infinity; performance.now() < deadline; await delay(20)) {
    if (performance.now() - toldAt > repeatMs) {
      await tell();
      toldAt = performance.now();
    }
    // While it writes the file anew everything is missing: twice in a row is believed.
    if (await find() === undefined && (await delay(20), await find()) === undefined) return;
  }
  throw new NetworkError(ErrorCode.INTERNAL_ERROR, `dnsmasq does not let go of ${address} on network '${plan.name}'`, { hint: 'look for dnsmasq in the log of the host' });
}
