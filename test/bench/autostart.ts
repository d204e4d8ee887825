/**
 * Lives here: how long it takes until networks that start with the host are
 * up: through vnetd, from its first instruction to `ready`; by a script with
 * the bare tools that does everything in batches; by libvirtd where it is
 * installed. In turns, in one run, medians.
 */
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openConnection } from '../../client/connection.js';
import { openLibvirt } from '../libvirt.js';
import { manyNetworks, saveToStartWithHost, stopAll, type OneOfMany } from '../many-networks.js';
import { openFolder, startDaemon, until } from '../processes.js';
import { median, timed, type Figure } from './measure.js';

const rounds = 5;
const count = 100;
/** As many as a host is to hold. */
const most = 1000;

/** Long enough for a thousand networks on a machine that is busy. */
const patienceMs = 300_000;

/** What is written in a start is in memory, as /run is on every machine. */
const memory = '/run';
const run = promisify(execFile);

/** Times it. The figures are medians in milliseconds, and ratios. */
export async function benchAutostart(peer: string | undefined): Promise<Figure[]> {
  const [vnet, script]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    script.push(await timeScript(manyNetworks(count, 'sh')));
    vnet.push((await timeVnet(count)).startMs);
  }
  const figures: Figure[] = [
    { name: `autostart of ${count} networks, vnet, from nothing to ready`, value: median(vnet), unit: 'ms' },
    { name: `autostart of ${count} networks, script`, value: median(script), unit: 'ms' },
    { name: `autostart of ${count} networks, vnet to the script`, value: median(vnet) / median(script), unit: 'times', limit: 3 },
  ];
  if (peer === 'libvirt') {
    const libvirt = await timeLibvirt();
    figures.push({ name: `autostart of ${count} networks, libvirt`, value: libvirt, unit: 'ms' });
    figures.push({ name: `autostart of ${count} networks, vnet as percent of libvirt`, value: 100 * median(vnet) / libvirt, unit: '%', limit: 10 });
  }
  return figures;
}

/** Times as many networks as a host is to hold, once. */
export async function benchMost(): Promise<Figure[]> {
  const { startMs, restartMs, stopMs } = await timeVnet(most);
  return [
    { name: `autostart of ${most} networks, vnet, from nothing to ready`, value: startMs, unit: 'ms' },
    { name: `restart of vnetd with ${most} networks up, until it lists them`, value: restartMs, unit: 'ms' },
    { name: `stop of ${most} networks, vnet`, value: stopMs, unit: 'ms' },
  ];
}

/** Starts a daemon whose networks start with the host; when they are up starts it again, and stops them. */
async function timeVnet(networks: number): Promise<{ startMs: number; restartMs: number; stopMs: number }> {
  const folder = await openFolder(memory);
  const start = () => startDaemon(['--root', folder.path], undefined, patienceMs);
  try {
    await saveToStartWithHost(join(folder.path, 'etc/vnet/networks'), manyNetworks(networks));
    let daemon: Awaited<ReturnType<typeof start>> | undefined;
    const startMs = await timed(async () => { daemon = await start(); });
    await daemon!.stop();
    let connection: Awaited<ReturnType<typeof openConnection>> | undefined;
    let up: Awaited<ReturnType<NonNullable<typeof connection>['listAllNetworks']>> = [];
    const restartMs = await timed(async () => {
      daemon = await start();
      connection = await openConnection(daemon.uris['unix']!);
      up = await connection.listAllNetworks({ active: true });
    });
    const stopMs = await timed(() => stopAll(up));
    await connection!.close();
    await daemon!.stop();
    if (up.length !== networks) throw new Error(`${up.length} of ${networks} networks are up`);
    return { startMs, restartMs, stopMs };
  } finally {
    await folder.close();
  }
}

/** What the bare tools take: one call of ip, one of nft, and dnsmasqs side by side. */
async function timeScript(networks: OneOfMany[]): Promise<number> {
  const folder = await openFolder(memory);
  const at = (name: string) => join(folder.path, name);
  await writeFile(at('links'), networks.map(renderLinks).join(''));
  await writeFile(at('rules'), `add table inet bench
add chain inet bench forward { type filter hook forward priority filter; policy accept; }
add chain inet bench nat { type nat hook postrouting priority srcnat; policy accept; }
${networks.map(renderRules).join('')}`);
  for (const network of networks) await writeFile(at(`${network.name}.conf`), renderConf(network, folder.path));
  await writeFile(at('hosts'), '');
  await writeFile(at('confs'), networks.map(({ name }) => `--conf-file=${at(`${name}.conf`)}\0`).join(''));
  await writeFile(at('start.sh'), `set -e
PATH=/usr/sbin:/sbin:$PATH
ip -batch - < ${at('links')}
nft -f - < ${at('rules')}
xargs -0 -n 1 -P "$(nproc)" dnsmasq < ${at('confs')}
`);
  const taken = await timed(() => run('sh', [at('start.sh')]));
  await run('sh', ['-c', `kill $(cat ${folder.path}/*.pid)`]);
  await writeFile(at('ends'), `${networks.map(({ bridge }) => `link set dev ${bridge} group 4711\n`).join('')}link delete group 4711\n`);
  await run('sh', ['-c', `PATH=/usr/sbin:/sbin:$PATH; nft delete table inet bench; ip -batch ${at('ends')}`]);
  await folder.close();
  return taken;
}

function renderLinks({ bridge, mac, subnet }: OneOfMany): string {
  return `link add name ${bridge} address ${mac} type bridge stp_state 1 forward_delay 200
addr add ${subnet}.1/24 broadcast ${subnet}.255 dev ${bridge}
link set dev ${bridge} up
`;
}

function renderRules({ bridge, subnet }: OneOfMany): string {
  const inside = `${subnet}.0/24`;
  return `add rule inet bench forward iifname ${bridge} oifname ${bridge} counter accept
add rule inet bench forward oifname ${bridge} ip daddr ${inside} ct state established,related counter accept
add rule inet bench forward oifname ${bridge} counter reject
add rule inet bench forward iifname ${bridge} ip saddr ${inside} counter accept
add rule inet bench forward iifname ${bridge} counter reject
add rule inet bench nat ip saddr ${inside} ip daddr 224.0.0.0/24 counter return
add rule inet bench nat ip saddr ${inside} ip daddr 255.255.255.255 counter return
add rule inet bench nat meta l4proto tcp ip saddr ${inside} ip daddr != ${inside} counter masquerade to :1024-65535
add rule inet bench nat meta l4proto udp ip saddr ${inside} ip daddr != ${inside} counter masquerade to :1024-65535
add rule inet bench nat ip saddr ${inside} ip daddr != ${inside} counter masquerade
`;
}

function renderConf({ name, bridge, subnet }: OneOfMany, folder: string): string {
  return `strict-order
no-resolv
no-hosts
pid-file=${folder}/${name}.pid
except-interface=lo
bind-dynamic
interface=${bridge}
dhcp-range=${subnet}.2,${subnet}.254,255.255.255.0
dhcp-no-override
dhcp-authoritative
dhcp-lease-max=253
dhcp-leasefile=${folder}/${name}.leases
dhcp-hostsfile=${folder}/hosts
addn-hosts=${folder}/hosts
`;
}

/** What libvirtd takes for networks that its folders say start with the host. */
async function timeLibvirt(): Promise<number> {
  const networks = manyNetworks(count, 'lv');
  let began = 0;
  const libvirt = await openLibvirt({ prepare: async () => {
    await mkdir('/etc/libvirt/qemu/networks', { recursive: true });
    await saveToStartWithHost('/etc/libvirt/qemu/networks', networks);
    began = performance.now();
  } });
  await until('libvirt has started its networks', async () => await libvirt.ask('active', '') === count, patienceMs);
  const taken = performance.now() - began;
  for (const { name } of networks) await libvirt.ask('stop', name);
  await rm('/etc/libvirt/qemu/networks', { recursive: true });
  await libvirt.close();
  return taken;
}
