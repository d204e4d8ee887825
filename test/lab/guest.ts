/**
 * Lives here: a guest of a lab: a namespace on a network's bridge, with a DHCP
 * client. Does not know: who made the bridge.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inNamespace, openPlace, runProgram, type Place } from './place.js';

/** What DHCP gave to a guest. */
export interface GuestLease {
  address: string;
  /** In bits. */
  prefix: number;
  /** Empty if the network has none. */
  router: string;
  dns: string[];
  domain: string;
  hostname: string;
  /** 0 if it was not told. */
  mtu: number;
  /** In seconds. */
  leaseTime: number;
}

/** How a guest is plugged in. */
export interface GuestOptions {
  /** Its MAC address; one of its own unless given. */
  mac?: string;
}

/** A guest; its interface is `eth0`. */
export interface Guest extends Place {
  mac: string;
  /**
   * Asks for an address by DHCP under its own name, and takes what it gets:
   * address, default route, MTU.
   *
   * @throws Error if nothing comes within 30 seconds
   */
  lease(): Promise<GuestLease>;
  /** Takes an address such as 192.168.122.7/24, and a default route if there is a gateway. */
  setAddress(address: string, gateway?: string): Promise<void>;
}

/** What udhcpc runs when it has a lease: it applies and writes down what it was given. */
const script = `#!/bin/sh
case "$1" in bound|renew) ;; *) exit 0 ;; esac
ip addr replace "$ip/$mask" broadcast + dev "$interface"
if [ -n "$mtu" ]; then ip link set dev "$interface" mtu "$mtu"; fi
for router in $router; do ip route replace default via "$router" dev "$interface"; done
cat > "$LEASE_FILE" <<END
{ "address": "$ip", "prefix": $mask, "router": "$router", "dns": "$dns", "domain": "$domain", "hostname": "$hostname", "mtu": \${mtu:-0}, "leaseTime": \${lease:-0} }
END
`;

let count = 0;

/** Plugs a new guest into a bridge. */
export async function openGuest(folder: string, bridge: string, name: string, options: GuestOptions): Promise<Guest> {
  const number = count += 1;
  const files = join(folder, `guest-${name}`);
  await mkdir(files);
  await writeLeaseScript(files);
  const cable = `guest${number}`;
  const mac = options.mac ?? `52:54:00:6c:61:${number.toString(16).padStart(2, '0')}`;
  await runProgram('ip', ['netns', 'add', name]);
  await runProgram('ip', ['-batch', '-'], `link add ${cable} type veth peer name eth0 address ${mac} netns ${name}\nlink set ${cable} master ${bridge} up\n`);
  await runProgram('ip', ['-n', name, '-batch', '-'], 'link set lo up\nlink set eth0 up\n');
  const place = await openPlace(name);
  let closing: Promise<void> | undefined;
  const close = async () => {
    await place.close();
    await runProgram('ip', ['netns', 'delete', name]);
    // The cable goes when its namespace is taken apart, which takes a while: nobody is to meet it then.
    await runProgram('ip', ['link', 'delete', cable]).catch(() => undefined);
    await rm(files, { recursive: true });
  };
  return {
    ...place,
    mac,
    lease: () => askForLease(name, files),
    setAddress: async (address, gateway) => {
      await place.exec('ip', 'addr', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []));
      if (gateway !== undefined) await place.exec('ip', 'route', 'replace', 'default', 'via', gateway);
    },
    close: () => (closing ??= close()),
  };
}

/** Writes what a DHCP client runs into a folder. */
export async function writeLeaseScript(files: string): Promise<void> {
  await writeFile(join(files, 'script'), script, { mode: 0o755 });
}

/**
 * Asks for an address in a namespace. The folder has the script in it, and gets the lease.
 *
 * dnsmasq pings an address for 3 seconds before it offers it, and hears
 * nobody else of its network meanwhile, so the client is told to be patient.
 */
export async function askForLease(name: string, files: string): Promise<GuestLease> {
  const leaseFile = join(files, 'lease');
  const [program, ...argv] = inNamespace(name, 'udhcpc', '-i', 'eth0', '-f', '-q', '-n', '-t', '8', '-T', '4', '-O', 'mtu',
    '-x', `hostname:${name}`, '-s', join(files, 'script'));
  await runProgram(program, argv, '', { LEASE_FILE: leaseFile });
  const { dns, ...lease } = JSON.parse(await readFile(leaseFile, 'utf8')) as Omit<GuestLease, 'dns'> & { dns: string };
  return { ...lease, dns: dns.split(' ').filter((address) => address !== '') };
}
