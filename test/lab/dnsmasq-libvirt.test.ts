/**
 * What dnsmasq is told for a document, beside what libvirt tells it for the
 * same one, option by option. A libvirtd of our own runs in the lab's
 * namespaces. Skipped where libvirtd or its Python library is missing.
 */
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderConf, type DnsmasqFiles } from '../../server/host/dnsmasq/conf.js';
import { renderHosts, renderNames } from '../../server/host/dnsmasq/hosts.js';
import { parseNetwork } from '../../shared/definition/index.js';
import { openLibvirt, type Libvirt } from '../libvirt.js';
import { runProgram } from './lab.js';

const available = spawnSync('libvirtd', ['--version'], { env: { ...process.env, PATH: `/usr/sbin:${process.env['PATH']}` } }).status === 0 &&
  spawnSync('/usr/bin/python3', ['-c', 'import libvirt']).status === 0;

const ip = (inner = '', more = '') => `<ip address='10.80.1.1' netmask='255.255.255.0'${more}>${inner}</ip>`;
const ip6 = (inner = '') => `<ip family='ipv6' address='fd80:1::1' prefix='64'>${inner}</ip>`;
const range = "<range start='10.80.1.10' end='10.80.1.99'/>";
const range6 = "<range start='fd80:1::100' end='fd80:1::1ff'/>";

/** The part of each document between its name and the end. */
const documents: Record<string, string> = {
  'isolated, no dhcp': ip(),
  'isolated, dhcp': ip(`<dhcp>${range}</dhcp>`),
  'nat, dhcp': `<forward mode='nat'/>${ip(`<dhcp>${range}</dhcp>`)}`,
  'routed, prefix instead of netmask': `<forward mode='route'/><ip address='10.80.1.1' prefix='25'><dhcp><range start='10.80.1.10' end='10.80.1.20'/></dhcp></ip>`,
  'two ranges': `<forward mode='nat'/>${ip(`<dhcp>${range}<range start='10.80.1.120' end='10.80.1.130'/></dhcp>`)}`,
  'lease times': `<forward mode='nat'/>${ip("<dhcp><range start='10.80.1.10' end='10.80.1.20'><lease expiry='24' unit='hours'/></range><range start='10.80.1.30' end='10.80.1.40'><lease expiry='0'/></range><range start='10.80.1.50' end='10.80.1.60'><lease expiry='300' unit='seconds'/></range></dhcp>")}`,
  'hosts': ip(`<dhcp>${range}<host mac='52:54:00:AA:bb:01' name='a' ip='10.80.1.2'/><host mac='52:54:00:aa:bb:02' ip='10.80.1.3'/><host name='c' ip='10.80.1.4'/><host mac='52:54:00:aa:bb:05' ip='10.80.1.5'><lease expiry='2' unit='hours'/></host></dhcp>`),
  'hosts without range': ip("<dhcp><host mac='52:54:00:aa:bb:01' ip='10.80.1.2'/></dhcp>"),
  'bootp and tftp': ip(`<tftp root='/usr/share'/><dhcp>${range}<bootp file='pxelinux.0'/></dhcp>`),
  'bootp with server': ip(`<dhcp>${range}<bootp file='pxelinux.0' server='10.80.1.9'/></dhcp>`),
  'domain': `<forward mode='nat'/><domain name='lab.example'/>${ip(`<dhcp>${range}</dhcp>`)}`,
  'domain of its own': `<forward mode='nat'/><domain name='lab.example' localOnly='yes'/>${ip()}`,
  'dns off': `<forward mode='nat'/><dns enable='no'/>${ip(`<dhcp>${range}</dhcp>`)}`,
  'dns off, domain': `<forward mode='nat'/><domain name='lab.example'/><dns enable='no'/>${ip(`<dhcp>${range}</dhcp>`)}`,
  'forwarders': `<forward mode='nat'/><dns><forwarder addr='10.9.9.9'/><forwarder addr='fd80:9::9'/></dns>${ip()}`,
  'forwarders by domain': `<forward mode='nat'/><dns><forwarder domain='corp.example' addr='10.9.9.9'/><forwarder domain='open.example'/></dns>${ip()}`,
  'plain names': `<forward mode='nat'/><dns forwardPlainNames='no'/>${ip()}`,
  'txt': `<dns><txt name='example' value='some value'/><txt name='second' value='x'/></dns>${ip()}`,
  'srv': `<dns><srv service='kerberos' protocol='tcp' domain='lab.example' target='.'/><srv service='ldap' protocol='udp'/><srv service='a' protocol='tcp' domain='d.example' target='t.example' port='1024' priority='1' weight='2'/><srv service='b' protocol='tcp' target='t.example' weight='9'/></dns>${ip()}`,
  'names': `<dns><host ip='10.80.1.7'><hostname>a</hostname><hostname>b.example</hostname></host><host ip='fd80:1::7'><hostname>c</hostname></host></dns>${ip()}`,
  'reverse zone': `<forward mode='nat'/>${ip('', " localPtr='yes'")}`,
  'mtu': `<forward mode='nat'/><mtu size='1400'/>${ip(`<dhcp>${range}</dhcp>`)}`,
  'ipv6, routers alone': `<forward mode='nat'/>${ip()}${ip6()}`,
  'ipv6, dhcp': `<forward mode='route'/>${ip(`<dhcp>${range}</dhcp>`)}${ip6(`<dhcp>${range6}<host id='0:1:0:1:18:aa:62:fe:0:16:3e:44:55:66' ip='fd80:1::5'/><host name='six' ip='fd80:1::6'/><host id='0:3:0:1:0:16:3e:11:22:33' name='seven' ip='fd80:1::7'/></dhcp>`)}`,
  'isolated ipv6': ip6(),
  'options': `${ip()}<dnsmasq:options><dnsmasq:option value='local-ttl=60'/><dnsmasq:option value='cname=a.example,b.example'/></dnsmasq:options>`,
};

const files: DnsmasqFiles = { conf: '/v/n.conf', hosts: '/v/n.hostsfile', names: '/v/n.addnhosts', leases: '/v/n.leases', pid: '/r/n.pid', servers: '/v/servers' };

/** Lines of ours that libvirt has not, each with its reason. */
const onlyOurs: Record<string, string> = {
  user: 'the account is said, not built in',
  group: 'the account is said, not built in',
  'no-hosts': 'the host\'s own names are not the guests\'',
  'no-resolv': 'dnsmasq would open an inotify instance to watch resolv.conf',
  'servers-file': 'the upstream servers come from a file that the daemon keeps',
  'dhcp-leasefile': 'dnsmasq keeps the leases, no program is run for each',
};

/**
 * A configuration as a set of lines that can be compared: without comments,
 * paths without their folders, and texts without the quotes that we put around
 * those with blanks.
 */
function normal(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/^(pid-file|dhcp-hostsfile|addn-hosts)=.*\//, '$1=').replace(/"(.* .*)"$/, '$1')).sort();
}

const hostLines = (text: string) => text.split('\n').map((line) => line.trimEnd()).filter((line) => line !== '').sort();

describe.skipIf(!available)('dnsmasq\'s files beside libvirt\'s', () => {
  let libvirt: Libvirt;
  beforeAll(async () => { libvirt = await openLibvirt(); }, 60_000);
  afterAll(async () => {
    await libvirt?.close();
    // It leaves its tables behind, as it does on a machine.
    await runProgram('nft', ['flush', 'ruleset']);
  });

  it.each(Object.entries(documents))('%s', async (_, inner) => {
    const namespace = inner.includes('dnsmasq:') ? " xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'" : '';
    const xml = `<network${namespace}><name>n</name><uuid>3a7b1f0e-95d2-4c63-8b1e-0f6a2d9c4b57</uuid><bridge name='peer0'/>${inner}</network>`;
    await libvirt.ask('define', xml);
    await libvirt.ask('start', 'n');
    const read = (name: string) => readFile(`/var/lib/libvirt/dnsmasq/n.${name}`, 'utf8').catch(() => '');
    const theirs = { conf: await read('conf'), hosts: await read('hostsfile'), names: await read('addnhosts') };
    await libvirt.ask('stop', 'n');

    const { definition } = parseNetwork(xml);
    const plan = { uuid: definition.uuid!, name: 'n', bridge: 'peer0', definition };
    const ours = normal(renderConf(plan, files, { user: 'dnsmasq', group: 'dnsmasq' }));
    const has = new Set(normal(theirs.conf));
    expect(ours.filter((line) => has.has(line) || !Object.hasOwn(onlyOurs, line.split('=')[0]!))).toEqual([...has].sort());
    expect(hostLines(renderHosts(plan))).toEqual(hostLines(theirs.hosts));
    expect(hostLines(renderNames(plan))).toEqual(hostLines(theirs.names));
  }, 20_000);
});
