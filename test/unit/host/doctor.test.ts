/** Every check of the doctor: silent on a good machine, and each finds what it is there for. */
import { describe, expect, it } from 'vitest';
import { planFrom } from '../../lab/embedded-host.js';
import type { Reading } from '../../../server/host/doctor/check.js';
import { checks, judge } from '../../../server/host/doctor/diagnose.js';
import { isOlder } from '../../../server/host/doctor/machine.js';
import { parseSockets } from '../../../server/host/doctor/sockets.js';
import { parseIptablesChains } from '../../../server/host/foreign/iptables-rules.js';

const uuid = '4b6bd1a5-3c5e-4f0e-9f40-000000000001';
const plan = planFrom(`<network><name>lab</name><uuid>${uuid}</uuid><forward mode='nat'/><bridge name='virbr3'/>
  <ip address='192.168.9.1' prefix='24'><dhcp><range start='192.168.9.2' end='192.168.9.9'/></dhcp></ip>
  <ip family='ipv6' address='fd00:9::1' prefix='64'><dhcp><range start='fd00:9::2' end='fd00:9::9'/></dhcp></ip></network>`);
const through = planFrom(`<network><name>lab</name><uuid>${uuid}</uuid><forward mode='route' dev='eth1'/><bridge name='virbr3'/><ip address='192.168.9.1' prefix='24'/></network>`);
const shaped = planFrom(`<network><name>lab</name><uuid>${uuid}</uuid><bridge name='virbr3'/><bandwidth><inbound average='100'/></bandwidth><ip address='192.168.9.1' prefix='24'/></network>`);

const up = { bridge: true, dnsmasq: true, firewall: true };
const down = { bridge: false, dnsmasq: false, firewall: false };

const healthy: Reading = {
  plans: [plan], standing: [up], capabilities: 0x1ffffffffffn, settingsWritable: true, interfaces: ['lo', 'eth0', 'virbr3'],
  tools: [{ tool: 'ip', version: '6.1.0' }, { tool: 'nft', version: '1.0.6' }, { tool: 'dnsmasq', version: '2.90' }, { tool: 'tc', version: '6.1.0' }],
  routes: [{ subnet: '192.168.9.0/24', interface: 'virbr3' }, { subnet: 'fd00:9::/64', interface: 'virbr3' }, { subnet: '198.51.100.0/24', interface: 'eth0' }],
  defaultRoutes: [{ family: 'ipv4', interface: 'eth0' }, { family: 'ipv6', interface: 'eth0' }],
  settings: {
    'net/ipv4/conf/all/forwarding': '1', 'net/ipv4/conf/virbr3/forwarding': '1', 'net/ipv6/conf/all/forwarding': '1', 'net/ipv6/conf/virbr3/forwarding': '1',
    'net/ipv6/conf/eth0/accept_ra': '2', 'net/ipv6/conf/virbr3/disable_ipv6': '0', 'net/netfilter/nf_conntrack_count': '100', 'net/netfilter/nf_conntrack_max': '65536',
    'fs/inotify/max_user_instances': '128', 'net/ipv4/neigh/default/gc_thresh3': '1024', 'kernel/pid_max': '32768',
  },
  sockets: [], chains: [], ipv6: true, closedFolders: [], profiles: ['/usr/sbin/dnsmasq//libvirt_leaseshelper (enforce)', 'dnsmasq (complain)'], lacks: [], modules: undefined,
  use: { inotify: 3, processes: 200, openFiles: 30, mostOpenFiles: 1024, neighbours: 5 },
};

const drop = (hook: string, more = '') => parseIptablesChains(`*filter\n:${hook} DROP [0:0]\n${more}\nCOMMIT\n`, 'ipv4');
const setting = (values: Record<string, string>) => ({ settings: { ...healthy.settings, ...values } });
const socket = (address: string, port: number, more: object = {}) => ({ standing: [down], sockets: [{ protocol: 'udp' as const, address, port, program: 'named', pid: 99, ours: false, ...more }] });

it('a good machine is good in all that is looked at', () => {
  expect(judge(healthy)).toEqual(checks.map(({ name, good }) => ({ severity: 'ok', check: name, message: good })));
  expect(new Set(checks.map(({ name }) => name)).size).toBe(checks.length);
});

/** What is wrong, which check finds it, how bad it is, and words of what it says and advises. */
const ills: [title: string, change: Partial<Reading>, check: string, severity: string, words: RegExp, advice: RegExp][] = [
  ['a program that is missing', { tools: [{ tool: 'nft', missing: { message: "cannot find 'nft' on this host", hint: 'apt-get install nftables' } }] }, 'tools', 'error', /nft/, /apt-get/],
  ['tc that is missing', { tools: [{ tool: 'tc', missing: { message: "cannot find 'tc'", hint: 'apt-get' } }] }, 'tools', 'warning', /tc/, /apt-get/],
  ['a program that is too old', { tools: [{ tool: 'dnsmasq', version: '2.68' }] }, 'tools', 'error', /2\.68 is too old/, /2\.75/],
  ['no right to change networks', { capabilities: 0n }, 'rights', 'error', /CAP_NET_ADMIN/, /root/],
  ['settings that cannot be written', { settingsWritable: false }, 'rights', 'error', /\/proc\/sys/, /root/],
  ['a folder that dnsmasq cannot pass', { closedFolders: [{ path: '/srv/x', user: 'dnsmasq' }] }, 'dnsmasq-account', 'error', /dnsmasq.*\/srv\/x/, /chmod o\+x \/srv\/x/],
  ['AppArmor', { profiles: ['/usr/sbin/dnsmasq (enforce)'] }, 'apparmor', 'warning', /confines dnsmasq/, /aa-complain/],
  ['connections that run out', setting({ 'net/netfilter/nf_conntrack_count': '60000' }), 'limits', 'warning', /60000 of 65536/, /sysctl -w net\.netfilter\.nf_conntrack_max=262144/],
  ['connections that have run out', setting({ 'net/netfilter/nf_conntrack_count': '65536' }), 'limits', 'error', /dropped/, /sysctl/],
  ['inotify instances', { use: { ...healthy.use, inotify: 127 } }, 'limits', 'error', /127 of 128 inotify/, /fs\.inotify\.max_user_instances/],
  ['neighbours', { use: { ...healthy.use, neighbours: 1000 } }, 'limits', 'error', /neighbours/, /gc_thresh3=4096/],
  ['processes', { use: { ...healthy.use, processes: 30000 } }, 'limits', 'warning', /dnsmasq/, /kernel\.pid_max/],
  ['open files', { use: { ...healthy.use, openFiles: 1000 } }, 'limits', 'error', /files/, /LimitNOFILE/],
  ['a kernel without what bandwidth needs', { plans: [shaped], modules: new Set(['bridge', 'sch_htb', 'cls_u32', 'sch_ingress', 'ifb']) }, 'kernel', 'error', /lacks act_mirred$/, /modules/],
  ['a kernel without act_csum', { lacks: ['act_csum'] }, 'kernel', 'warning', /checksums/, /modules/],
  ['a bridge that is gone', { standing: [{ ...up, bridge: false }] }, 'standing', 'error', /bridge virbr3 is gone/, /vnet start lab/],
  ['a dnsmasq that has ended', { standing: [{ ...up, dnsmasq: false }] }, 'standing', 'error', /dnsmasq does not run/, /restart vnetd/],
  ['forwarding that is off', setting({ 'net/ipv4/conf/all/forwarding': '0' }), 'forwarding', 'error', /IPv4/, /sysctl -w net\.ipv4\.conf\.all\.forwarding=1$/],
  ['IPv6 forwarding that is off', setting({ 'net/ipv6/conf/virbr3/forwarding': '0' }), 'forwarding', 'error', /IPv6/, /virbr3/],
  ['a policy of drop', { chains: drop('FORWARD', ':DOCKER-USER - [0:0]') }, 'foreign-drop', 'error', /Docker drops what guests of 192\.168\.9\.0\/24 send and answers/, /DOCKER-USER -i virbr3/],
  ['a policy of drop for what comes in', { chains: drop('INPUT', '-A INPUT -p udp -m udp --dport 53 -j ACCEPT') }, 'foreign-input', 'error', /drops DHCP requests/, /INPUT -i virbr3/],
  ['bridged packets that meet a drop', { ...setting({ 'net/bridge/bridge-nf-call-iptables': '1' }), chains: drop('FORWARD') }, 'bridge-netfilter', 'error', /between guests/, /sysctl -w net\.bridge\.bridge-nf-call-iptables=0/],
  ['a VPN with the same subnet', { routes: [...healthy.routes, { subnet: '192.168.9.0/24', interface: 'tun0' }] }, 'overlap', 'error', /tun0.*looks for guests on tun0/, /ip route delete 192\.168\.9\.0\/24 dev tun0/],
  ['a VPN with a wider subnet', { routes: [{ subnet: '192.168.0.0/16', interface: 'tun0' }] }, 'overlap', 'warning', /192\.168\.0\.0\/16/, /vnet edit lab/],
  ['a wider subnet before the start', { standing: [down], routes: [{ subnet: '192.168.0.0/16', interface: 'tun0' }] }, 'overlap', 'error', /cannot be started/, /vnet edit lab/],
  ['no way out', { defaultRoutes: [] }, 'uplink', 'warning', /no default route/, /ip route/],
  ['an uplink that is not there', { plans: [through] }, 'uplink', 'error', /eth1/, /ip link/],
  ['strict filtering on another way out', { plans: [through], interfaces: ['eth1'], ...setting({ 'net/ipv4/conf/all/rp_filter': '1' }) }, 'rp-filter', 'warning', /eth1/, /net\.ipv4\.conf\.eth1\.rp_filter=2/],
  ['a kernel without IPv6', { ipv6: false }, 'ipv6', 'error', /no IPv6/, /ipv6\.disable/],
  ['IPv6 that is off on the bridge', setting({ 'net/ipv6/conf/virbr3/disable_ipv6': '1' }), 'ipv6', 'error', /virbr3/, /disable_ipv6=0/],
  ['routers that are not heard', setting({ 'net/ipv6/conf/eth0/accept_ra': '1' }), 'ipv6', 'warning', /no router on eth0/, /net\.ipv6\.conf\.eth0\.accept_ra=2/],
  ['a resolver on every address', socket('0.0.0.0', 53), 'port-53', 'error', /named \(pid 99\) holds udp port 53 on 0\.0\.0\.0/, /kill 99/],
  ['a resolver on the bridge\'s address', socket('192.168.9.1', 53, { protocol: 'tcp' }), 'port-53', 'error', /192\.168\.9\.1/, /ss -lnp/],
  ['a DHCP server on every address', socket('*', 67), 'port-67', 'error', /DHCP on 192\.168\.9\.1/, /ss -lnp/],
  ['a DHCPv6 server', socket('::', 547), 'port-547', 'error', /DHCPv6 on fd00:9::1/, /ss -lnp/],
];

describe('found is', () => {
  it.each(ills)('%s', (_, change, check, severity, words, advice) => {
    const found = judge({ ...healthy, ...change }).find((each) => each.check === check && each.severity === severity)!;
    expect(found).toMatchObject({ check, severity, message: expect.stringMatching(words), advice: expect.stringMatching(advice) });
  });

  it('an ill for every check', () => {
    expect(new Set(ills.map(([, , check]) => check))).toEqual(new Set(checks.map(({ name }) => name)));
  });
});

describe('not found is', () => {
  it.each<[string, Partial<Reading>, string]>([
    ['a resolver on another address', socket('127.0.0.1', 53), 'port-53'],
    ['a resolver on every address of another interface', socket('0.0.0.0', 67, { device: 'virbr0' }), 'port-67'],
    ['vnet\'s own dnsmasq', socket('192.168.9.1', 53, { ours: true }), 'port-53'],
    ['strict filtering on the way out', { plans: [through], interfaces: ['eth1'], defaultRoutes: [{ family: 'ipv4', interface: 'eth1' }], ...setting({ 'net/ipv4/conf/all/rp_filter': '1' }) }, 'rp-filter'],
    ['loose filtering', { plans: [through], interfaces: ['eth1'], ...setting({ 'net/ipv4/conf/all/rp_filter': '2', 'net/ipv4/conf/eth1/rp_filter': '1' }) }, 'rp-filter'],
    ['forwarding that is off while the network is', { standing: [down], ...setting({ 'net/ipv4/conf/all/forwarding': '0' }) }, 'forwarding'],
    ['bridged packets that meet no rules', { chains: drop('FORWARD'), ...setting({ 'net/bridge/bridge-nf-call-iptables': '0' }) }, 'bridge-netfilter'],
  ])('%s', (_, change, check) => {
    expect(judge({ ...healthy, ...change }).filter((each) => each.check === check)).toMatchObject([{ severity: 'ok' }]);
  });
});

it('what ss prints is read', () => {
  expect(parseSockets(`udp   UNCONN 0      0            127.0.0.53%lo:53         0.0.0.0:*    users:(("systemd-resolve",pid=512,fd=13))
udp   UNCONN 0      0       0.0.0.0%virbr0:67         0.0.0.0:*    users:(("dnsmasq",pid=9,fd=3))
udp   UNCONN 0      0    [fe80::1]%virbr0:53             [::]:*
udp   UNCONN 0      0                [::]:547            [::]:*
tcp   LISTEN 0      128                 *:80                *:*    users:(("a b",pid=7,fd=4),("c",pid=8,fd=4))
`)).toEqual([
    { protocol: 'udp', address: '127.0.0.53', device: 'lo', port: 53, program: 'systemd-resolve', pid: 512, ours: false },
    { protocol: 'udp', address: '0.0.0.0', device: 'virbr0', port: 67, program: 'dnsmasq', pid: 9, ours: false },
    { protocol: 'udp', address: 'fe80::1', device: 'virbr0', port: 53, ours: false },
    { protocol: 'udp', address: '::', port: 547, ours: false },
    { protocol: 'tcp', address: '*', port: 80, program: 'a b', pid: 7, ours: false },
  ]);
});

it('versions are compared by their numbers, and those that are dates by them', () => {
  expect([isOlder('2.9', '2.75'), isOlder('2.75', '2.75'), isOlder('2.80test3', '2.75'), isOlder('1.8.9 (nf_tables)', '1.6.2'), isOlder('ss160711', '4.13'), isOlder('ss200127', '4.13'), isOlder('UNKNOWN', '2.75')])
    .toEqual([true, false, false, false, true, false, false]);
});
