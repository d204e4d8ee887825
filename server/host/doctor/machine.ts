/**
 * Lives here: the doctor's checks of what vnet runs with: programs, rights,
 * folders, the kernel's limits and modules. Does not know: how anything is read.
 */
import { familyOfIp, isManaged, servesDhcp } from '../../../shared/definition/index.js';
import { hasBandwidth } from '../bandwidth.js';
import { ofEach, type Check, type Found, type Reading } from './check.js';

/** The oldest version of each program that does what vnet asks of it. iproute2 was once numbered by dates. */
const oldest: Record<string, { version: string; why: string }> = {
  nft: { version: '0.9.1', why: 'it must list rules as JSON' },
  dnsmasq: { version: '2.75', why: 'it must read its servers from a file and leave routers out of its advertisements' },
  ip: { version: '4.13', why: 'it must list links as JSON' },
  'iptables-restore': { version: '1.6.2', why: 'it must wait for the lock of others' },
};

/** Without these no network can be had. */
const indispensable = new Set(['ip', 'dnsmasq', 'nft', 'iptables-restore', 'ip6tables-restore', 'iptables-save', 'ip6tables-save']);

/** What the daemon has to be allowed, with the numbers of linux/capability.h. */
const capabilities = { CAP_CHOWN: 0, CAP_KILL: 5, CAP_SETGID: 6, CAP_SETUID: 7, CAP_NET_BIND_SERVICE: 10, CAP_NET_ADMIN: 12, CAP_NET_RAW: 13 };

/** Whether a version is older than another; one that is not understood is not. */
export function isOlder(version: string, than: string): boolean {
  const [, date] = /^ss(\d{6})/.exec(version) ?? [];
  // The snapshot of 2017-09-05 is 4.13.
  if (date !== undefined) return date < '170905';
  const [left, right] = [version, than].map((text) => (/^[\d.]+/.exec(text)?.[0] ?? '').split('.').filter(Boolean).map(Number));
  if (left!.length === 0) return false;
  for (const [index, number] of right!.entries()) {
    if ((left![index] ?? 0) !== number) return (left![index] ?? 0) < number;
  }
  return false;
}

/** What vnet runs with. */
export const machineChecks: readonly Check[] = [
  { name: 'tools', good: 'every program that vnet runs is there and new enough', find: ({ tools }) => tools.flatMap(toolFindings) },
  { name: 'rights', good: 'the daemon may change networks', find: findRights },
  {
    name: 'dnsmasq-account', good: 'dnsmasq\'s account reaches its files',
    find: ({ closedFolders }) => closedFolders.map(({ path, user }) => ({
      severity: 'error', message: `dnsmasq runs as ${user}, which cannot pass ${path}: it cannot read its hosts and servers again`, advice: `chmod o+x ${path}`,
    })),
  },
  {
    name: 'apparmor', good: 'AppArmor does not confine dnsmasq',
    find: ({ profiles }) => profiles.filter((line) => /dnsmasq \(enforce\)/.test(line) && !line.includes('//')).map((line) => ({
      severity: 'warning', message: `AppArmor confines dnsmasq (profile ${line.split(' ')[0]}): it may not read the files of networks`,
      advice: 'if networks do not start, allow vnet\'s folders in /etc/apparmor.d/local/usr.sbin.dnsmasq, or run: aa-complain /usr/sbin/dnsmasq',
    })),
  },
  { name: 'limits', good: 'no limit of the kernel is near', find: findLimits },
  { name: 'kernel', good: 'the kernel has what the networks ask for', find: findModules },
];

function toolFindings({ tool, version, missing }: Reading['tools'][number]): Found[] {
  const severity = indispensable.has(tool) ? 'error' : 'warning';
  if (missing !== undefined) return [{ severity, message: missing.message, ...(missing.hint === undefined ? {} : { advice: missing.hint }) }];
  const least = oldest[tool];
  if (least === undefined || version === undefined || !isOlder(version, least.version)) return [];
  return [{ severity, message: `${tool} ${version} is too old: ${least.why}`, advice: `install ${tool} ${least.version} or later` }];
}

function findRights({ capabilities: held, settingsWritable }: Reading): Found[] {
  const missing = Object.entries(capabilities).filter(([, bit]) => (held >> BigInt(bit) & 1n) === 0n).map(([name]) => name);
  return [
    ...(missing.length === 0 ? [] : [{ severity: 'error' as const, message: `the daemon lacks ${missing.join(', ')}`, advice: 'run vnetd as root: systemctl restart vnetd' }]),
    ...(settingsWritable ? [] : [{
      severity: 'error' as const, message: '/proc/sys/net cannot be written, so no network can be started', advice: 'run vnetd as root, and in systemd without ProtectKernelTunables',
    }]),
  ];
}

/** From which part in use a limit is near, and from which it is reached. */
const near = 0.8;
const full = 0.95;

function findLimits({ settings, use }: Reading): Found[] {
  const limit = (key: string) => Number(settings[key] ?? 0);
  const one = (what: string, used: number, most: number, then: string, advice: (more: number) => string): Found[] => (most <= 0 || used < most * near ? [] : [{
    severity: used >= most * full ? 'error' : 'warning', message: `${used} of ${most} ${what} are in use; when they are used up, ${then}`, advice: advice(most * 4),
  }]);
  const sysctl = (key: string) => (more: number) => `sysctl -w ${key.replaceAll('/', '.')}=${more}`;
  return [
    ...one('connections that the kernel tracks', limit('net/netfilter/nf_conntrack_count'), limit('net/netfilter/nf_conntrack_max'), 'new ones are dropped', sysctl('net/netfilter/nf_conntrack_max')),
    ...one('inotify instances', use.inotify, limit('fs/inotify/max_user_instances'), 'vnetd no longer notices changes of resolv.conf', sysctl('fs/inotify/max_user_instances')),
    ...one('neighbours', use.neighbours, limit('net/ipv4/neigh/default/gc_thresh3'), 'guests are no longer found', sysctl('net/ipv4/neigh/default/gc_thresh3')),
    ...one('processes', use.processes, limit('kernel/pid_max'), 'no dnsmasq can be started', sysctl('kernel/pid_max')),
    ...one('files that vnetd may have open', use.openFiles, use.mostOpenFiles, 'it can answer nobody', (more) => `give vnetd.service LimitNOFILE=${more}`),
  ];
}

function findModules(reading: Reading): Found[] {
  const { modules, lacks } = reading;
  const has = (name: string) => modules === undefined || modules.has(name);
  const missing = (names: readonly string[]) => names.filter((name) => !has(name));
  return ofEach(reading, (plan) => {
    if (!isManaged(plan.definition)) return [];
    const bandwidth = hasBandwidth(plan) ? [...missing(['sch_htb', 'sch_ingress', 'cls_u32']), ...(has('act_police') ? [] : missing(['ifb', 'act_mirred']))] : [];
    const answers = plan.definition.ips.some((ip) => familyOfIp(ip) === 'ipv4' && servesDhcp(ip));
    return [
      ...missing(['bridge']).map(() => ({ severity: 'error' as const, message: 'the kernel has no bridges (module bridge)', advice: 'install a kernel with CONFIG_BRIDGE' })),
      ...(bandwidth.length === 0 ? [] : [{
        severity: 'error' as const, message: `its bandwidth cannot be held: the kernel lacks ${bandwidth.join(', ')}`, advice: 'install the package with the kernel\'s further modules, or take <bandwidth> out',
      }]),
      ...(answers && (lacks.includes('act_csum') || !has('act_csum')) ? [{
        severity: 'warning' as const, message: 'DHCP answers leave with incomplete checksums, which old DHCP clients refuse: the kernel lacks act_csum', advice: 'install the package with the kernel\'s further modules',
      }] : []),
    ];
  });
}
