/**
 * Lives here: how long one NAT network takes to start and to stop, through
 * vnetd's unix socket, by a shell script with the bare tools, and by libvirtd
 * where it is installed. In turns, in one run, medians.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openConnection } from '../../client/connection.js';
import { openFolder, startDaemon } from '../processes.js';
import { openLibvirt } from '../libvirt.js';
import { median, timed, type Figure } from './measure.js';

const rounds = 15;

/** What a start writes is in /run, which is in memory on every machine, and in the lab. */
const memory = '/run';
const run = promisify(execFile);

const document = (name: string, bridge: string, third: number) => `<network>
  <name>${name}</name>
  <forward mode='nat'/>
  <bridge name='${bridge}'/>
  <ip address='10.79.${third}.1' netmask='255.255.255.0'>
    <dhcp><range start='10.79.${third}.2' end='10.79.${third}.254'/></dhcp>
  </ip>
</network>`;

/** One way to start and stop a network. */
interface Contender {
  name: string;
  start(): Promise<unknown>;
  stop(): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Times every contender in turns. The figures are medians in milliseconds, and ratios to the script. */
export async function benchNetworkStart(peer: string | undefined): Promise<Figure[]> {
  const contenders = [await openVnet(), await openScript(), ...(peer === 'libvirt' ? [await openPeer()] : [])];
  const times = new Map(contenders.map(({ name }) => [name, { start: [] as number[], stop: [] as number[] }]));
  for (let round = -1; round < rounds; round += 1) {
    for (const contender of contenders) {
      const start = await timed(() => contender.start());
      const stop = await timed(() => contender.stop());
      if (round < 0) continue;
      times.get(contender.name)!.start.push(start);
      times.get(contender.name)!.stop.push(stop);
    }
  }
  for (const contender of contenders) await contender.close();
  const of = (name: string, what: 'start' | 'stop') => median(times.get(name)![what]);
  const figures: Figure[] = [];
  for (const what of ['start', 'stop'] as const) {
    for (const { name } of contenders) figures.push({ name: `${what} one network, ${name}`, value: of(name, what), unit: 'ms' });
    figures.push({ name: `${what} one network, vnet to the script`, value: of('vnet', what) / of('script', what), unit: 'times', limit: what === 'start' ? 2 : 1.5 });
    if (peer === 'libvirt') figures.push({ name: `${what} one network, libvirt to vnet`, value: of('libvirt', what) / of('vnet', what), unit: 'times' });
  }
  return figures;
}

async function openVnet(): Promise<Contender> {
  const folder = await openFolder(memory);
  const daemon = await startDaemon(['--root', folder.path]);
  const connection = await openConnection(daemon.uris['unix']!);
  const { network } = await connection.defineXml(document('bench-vnet', 'bench-vnet', 1));
  return {
    name: 'vnet',
    start: () => network.start(),
    stop: () => network.destroy(),
    close: async () => {
      await connection.close();
      await daemon.stop();
      await folder.close();
    },
  };
}

/** A script that does with the bare tools what one network needs. */
async function openScript(): Promise<Contender> {
  const folder = await openFolder(memory);
  const at = (name: string) => join(folder.path, name);
  await writeFile(at('links'), `link add name bench-sh address 52:54:00:aa:bb:cc type bridge stp_state 1 forward_delay 200
addr add 10.79.2.1/24 broadcast 10.79.2.255 dev bench-sh
link set dev bench-sh up
`);
  await writeFile(at('rules'), `add table inet bench
add chain inet bench forward { type filter hook forward priority filter; policy accept; }
add rule inet bench forward iifname bench-sh oifname bench-sh counter accept
add rule inet bench forward oifname bench-sh ip daddr 10.79.2.0/24 ct state established,related counter accept
add rule inet bench forward oifname bench-sh counter reject
add rule inet bench forward iifname bench-sh ip saddr 10.79.2.0/24 counter accept
add rule inet bench forward iifname bench-sh counter reject
add chain inet bench nat { type nat hook postrouting priority srcnat; policy accept; }
add rule inet bench nat ip saddr 10.79.2.0/24 ip daddr 224.0.0.0/24 counter return
add rule inet bench nat ip saddr 10.79.2.0/24 ip daddr 255.255.255.255 counter return
add rule inet bench nat meta l4proto tcp ip saddr 10.79.2.0/24 ip daddr != 10.79.2.0/24 counter masquerade to :1024-65535
add rule inet bench nat meta l4proto udp ip saddr 10.79.2.0/24 ip daddr != 10.79.2.0/24 counter masquerade to :1024-65535
add rule inet bench nat ip saddr 10.79.2.0/24 ip daddr != 10.79.2.0/24 counter masquerade
`);
  await writeFile(at('conf'), `strict-order
no-resolv
no-hosts
pid-file=${at('pid')}
except-interface=lo
bind-dynamic
interface=bench-sh
dhcp-range=10.79.2.2,10.79.2.254,255.255.255.0
dhcp-no-override
dhcp-authoritative
dhcp-lease-max=253
dhcp-leasefile=${at('leases')}
dhcp-hostsfile=${at('hosts')}
addn-hosts=${at('addn')}
`);
  await writeFile(at('hosts'), '');
  await writeFile(at('addn'), '');
  await writeFile(at('start.sh'), `set -e
PATH=/usr/sbin:/sbin:$PATH
ip -batch - < ${at('links')}
nft -f - < ${at('rules')}
dnsmasq --conf-file=${at('conf')}
`);
  await writeFile(at('stop.sh'), `PATH=/usr/sbin:/sbin:$PATH
kill $(cat ${at('pid')})
nft delete table inet bench
ip link del bench-sh
`);
  return {
    name: 'script',
    start: () => run('sh', [at('start.sh')]),
    stop: () => run('sh', [at('stop.sh')]),
    close: () => folder.close(),
  };
}

async function openPeer(): Promise<Contender> {
  const libvirt = await openLibvirt();
  await libvirt.ask('define', document('bench-lv', 'bench-lv', 3));
  return {
    name: 'libvirt',
    start: () => libvirt.ask('start', 'bench-lv'),
    stop: () => libvirt.ask('stop', 'bench-lv'),
    close: () => libvirt.close(),
  };
}

