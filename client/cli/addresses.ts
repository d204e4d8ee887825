/**
 * Lives here: the commands that decide about a leased address: release,
 * reserve. Does not know: how it is done.
 */
import { canonicalAddress, canonicalMac, subnetContains, subnetOf } from '../../shared/address.js';
import { LeaseType, UpdateCommand, UpdateSection, type DhcpLease } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Network } from '../network.js';
import type { Call } from './call.js';
import { attempt, Exit, Failure } from './failure.js';

/** `vnet release`: an address is free for another guest. */
export async function runRelease(call: Call): Promise<void> {
  const network = await call.network(call.word('network'));
  const address = call.word('address');
  await attempt(`Failed to release ${address} on network ${network.name}`, () => network.releaseLease(address));
  call.announce(`Address ${address} of network ${network.name} released`, { name: network.name, uuid: network.uuid, address, result: 'released' });
}

/** `vnet reserve`: a guest keeps the address that it has, also after a restart. */
export async function runReserve(call: Call): Promise<void> {
  const network = await call.network(call.word('network'));
  const lease = await findLease(network, call.word('lease'));
  const { persistent, addresses } = await network.info();
  const parentIndex = addresses.findIndex((address) => contains(address, lease.ipAddress));
  await attempt(`Failed to reserve ${lease.ipAddress} on network ${network.name}`, async () => network.connection.driver.networkUpdate({
    network: { name: network.name, uuid: network.uuid }, command: UpdateCommand.ADD_LAST, section: UpdateSection.IP_DHCP_HOST,
    parentIndex, xml: renderHost(lease, call.value('name')), live: true, config: persistent, dryRun: false,
  }));
  const { ipAddress: address, mac } = lease;
  call.announce(`Address ${address} of network ${network.name} reserved for ${mac || lease.clientId}`, {
    name: network.name, uuid: network.uuid, address, mac: mac || null, result: 'reserved',
  });
}

async function findLease(network: Network, word: string): Promise<DhcpLease> {
  const [mac, address] = [canonicalMac(word), canonicalAddress(word)?.address];
  const leases = await attempt(`Failed to get leases info for ${network.name}`, () => network.leases());
  const found = leases.find((lease) => (mac === undefined ? lease.ipAddress === address : lease.mac === mac));
  if (found === undefined) {
    throw new Failure(`network ${network.name} has no lease of ${word}`, { exit: Exit.NOT_FOUND, hint: `see its leases with: vnet leases ${network.name}` });
  }
  return found;
}

/** The part of a definition that gives a guest its address: a guest of DHCPv6 is known by its DUID. */
function renderHost({ type, mac, clientId, hostname, ipAddress }: DhcpLease, name = hostname): string {
  const who = type === LeaseType.IPV6 ? attribute('id', clientId) : attribute('mac', mac);
  return `<host${who}${name === '' ? '' : attribute('name', name)}${attribute('ip', ipAddress)}/>`;
}

function attribute(name: string, value: string): string {
  const escaped = value.replace(/[&<>'"\p{Cc}]/gu, (character) => `&#${character.codePointAt(0)};`);
  return ` ${name}='${escaped}'`;
}

/** Whether an address with its prefix, 192.168.122.1/24, is of the subnet that another lies in. */
function contains(subnet: string, address: string): boolean {
  const [own = '', prefix = ''] = subnet.split('/');
  return subnetContains(subnetOf(own, Number(prefix)), address);
}
