/**
 * Lives here: many NAT networks with DHCP that start with the host, as files
 * that say all that a daemon adds when it saves them. Does not know: who reads them.
 */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One of many networks: all that is different about it. */
export interface OneOfMany {
  name: string;
  bridge: string;
  mac: string;
  uuid: string;
  /** The first three numbers of its /24: `10.64.7`. */
  subnet: string;
}

/** So many networks, up to 4096, none of which overlaps another. */
export function manyNetworks(count: number, prefix = 'many'): OneOfMany[] {
  const bytes = (n: number) => [n >> 8, n & 255].map((byte) => byte.toString(16).padStart(2, '0'));
  return Array.from({ length: count }, (_, n) => ({
    name: `${prefix}${n}`, bridge: `${prefix}${n}`, subnet: `10.${64 + (n >> 8)}.${n & 255}`,
    mac: `52:54:00:aa:${bytes(n).join(':')}`, uuid: `4b6bd1a5-3c5e-4f0e-9f80-00000000${bytes(n).join('')}`,
  }));
}

/** Its definition. */
export function documentOf({ name, bridge, mac, uuid, subnet }: OneOfMany): string {
  return `<network>
  <name>${name}</name>
  <uuid>${uuid}</uuid>
  <forward mode='nat'/>
  <bridge name='${bridge}' stp='on' delay='0'/>
  <mac address='${mac}'/>
  <ip address='${subnet}.1' netmask='255.255.255.0'>
    <dhcp><range start='${subnet}.2' end='${subnet}.254'/></dhcp>
  </ip>
</network>
`;
}

/** Writes them to a folder of definitions, such as /etc/vnet/networks, with their autostart marks. */
export async function saveToStartWithHost(folder: string, networks: readonly OneOfMany[]): Promise<void> {
  await mkdir(join(folder, 'autostart'), { recursive: true });
  await Promise.all(networks.map(async (network) => {
    const file = join(folder, `${network.name}.xml`);
    await writeFile(file, documentOf(network));
    await symlink(file, join(folder, 'autostart', `${network.name}.xml`));
  }));
}

/**
 * Stops networks, some at a time: the kernel takes 20 milliseconds to remove a
 * bridge, and among a thousand networks half a second, since every dnsmasq
 * looks at all interfaces when one goes. Many asked for at once would outlast
 * a client's patience.
 */
export async function stopAll(networks: readonly { network: { destroy(): Promise<unknown> } }[]): Promise<void> {
  const waiting = [...networks];
  const stopNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next.network.destroy();
  };
  await Promise.all(Array.from({ length: 16 }, stopNext));
}
