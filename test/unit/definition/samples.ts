/**
 * Lives here: network documents that try every element and attribute of the
 * format with legal and illegal values, in the modes where they mean
 * something and where they do not. Does not know: what should become of them.
 */

/** A document and what it tries. */
export interface Sample {
  /** Unique: `ip/@prefix = 33`. */
  label: string;
  xml: string;
}

const uuid = '<uuid>3a7b1f0e-95d2-4c63-8b1e-0f6a2d9c4b57</uuid>';

/** What stands around a fragment, by mode. */
const around = {
  isolated: (inner: string) => `<network><name>n</name>${uuid}${inner}</network>`,
  nat: (inner: string) => `<network><name>n</name>${uuid}<forward mode='nat'/>${inner}<ip address='192.168.77.1' netmask='255.255.255.0'/></network>`,
  route: (inner: string) => `<network><name>n</name>${uuid}<forward mode='route'/>${inner}<ip address='192.168.77.1' prefix='24'/></network>`,
  open: (inner: string) => `<network><name>n</name>${uuid}<forward mode='open'/>${inner}<ip address='192.168.77.1' prefix='24'/></network>`,
  bridge: (inner: string) => `<network><name>n</name>${uuid}<forward mode='bridge'/><bridge name='br0'/>${inner}</network>`,
  macvtap: (inner: string) => `<network><name>n</name>${uuid}<forward mode='bridge' dev='eth0'/>${inner}</network>`,
  private: (inner: string) => `<network><name>n</name>${uuid}<forward mode='private' dev='eth0'/>${inner}</network>`,
  vepa: (inner: string) => `<network><name>n</name>${uuid}<forward mode='vepa' dev='eth0'/>${inner}</network>`,
  passthrough: (inner: string) => `<network><name>n</name>${uuid}<forward mode='passthrough'><interface dev='eth0'/></forward>${inner}</network>`,
  hostdev: (inner: string) => `<network><name>n</name>${uuid}<forward mode='hostdev'><pf dev='eth0'/></forward>${inner}</network>`,
  bare: (inner: string) => `<network>${inner}</network>`,
  named: (inner: string) => `<network><name>n</name>${uuid}${inner}</network>`,
};

type Surroundings = keyof typeof around;

const yesNo = ['yes', 'no', 'YES', 'maybe', '', ' yes'];
const numbers = ['0', '1', '007', ' 5', '+5', '-1', '1.5', '0x10', 'abc', '', '5 ', '4294967295', '4294967296', '99999999999999999999'];
const addresses = ['10.9.8.7', '010.9.8.7', '10.9.8.256', '10.9', '1', '0x0a.1.2.3', '::1', '2001:DB8::0:1', '::ffff:1.2.3.4', 'fe80::1%lo', 'example.com', '', ' 10.9.8.7', '10.9.8.7 ', '10.9.8.08'];
const macs = ['52:54:00:aB:cd:EF', '2:4:0:1:2:3', '01:00:5e:00:00:01', '52:54:00:ab:cd', '52-54-00-ab-cd-ef', '52:54:00:ab:cd:ef:01', '', 'zz:54:00:ab:cd:ef', '00:00:00:00:00:00', '525:4:0:1:2:3'];
const uuids = ['c1a5fe21-35a8-44cd-9a40-9ab28f2f6a02', 'C1A5FE2135A844CD9A409AB28F2F6A02', ' c1a5fe21-35a8-44cd-9a40-9ab28f2f6a02 ', 'c1-a5-fe-21-35a844cd9a409ab28f2f6a02', '00000000-0000-0000-0000-000000000000', 'c1a5fe21', 'nonsense', '', 'c1a5fe21-35a8-44cd-9a40-9ab28f2f6a021', 'c 1a5fe21-35a8-44cd-9a40-9ab28f2f6a02'];
const names = ['plain', 'two-words.example', 'a b', 'é', '&lt;&amp;&gt;&quot;&apos;', '', ' padded ', 'x,y', 'a/b', '#c', 'a&#10;b', 'a&#9;b', '%n'];

/** A fragment with a place for a value. */
type Trial = readonly [surroundings: Surroundings, what: string, values: readonly string[], fragment: (value: string) => string];

const inIp = (inner: string) => `<ip address='10.1.2.1' prefix='24'>${inner}</ip>`;
const inIp6 = (inner: string) => `<ip family='ipv6' address='2001:db8:1::1' prefix='64'>${inner}</ip>`;

const identity: readonly Trial[] = [
  ['bare', 'name', [...names, '.', '..', '-x'], (v) => `<name>${v}</name>${uuid}`],
  ['bare', 'name element', ['', '<name/>', '<name>a</name><name>b</name>', '<name>a<b>c</b>d</name>', '<name><![CDATA[x<y]]></name>', '<name>a<!-- c -->b</name>'], (v) => `${v}${uuid}`],
  ['bare', 'uuid', uuids, (v) => `<name>n</name><uuid>${v}</uuid>`],
  ['named', 'title', ['a title', '', ' b ', 'two\nlines', '&lt;x&gt;'], (v) => `<title>${v}</title>`],
  ['named', 'description', ['text', '', 'two\n lines', '&lt;x&gt; &amp; "q"'], (v) => `<description>${v}</description>`],
  ['named', 'unknown', ['<foo/>', '<foo><name>x</name></foo>', 'text', '<bridge foo="x"/>', '<x:ip xmlns:x="urn:x" address="junk"/>'], (v) => v],
];

const metadata: readonly Trial[] = [
  ['named', 'metadata', [
    '<a:b xmlns:a="urn:1"/>', '<a:b xmlns:a="urn:1">text</a:b>', '<b xmlns="urn:1"><c/></b>', '<b/>', 'text', '',
    '<a:b xmlns:a="urn:1"/><a:c xmlns:a="urn:1"/>', '<a:b xmlns:a="urn:1"/><z:c xmlns:z="urn:2"/>',
    '<a:b xmlns:a="urn:1" k="it&apos;s &quot;q&quot; &lt;&amp;&#10;&#9;é"/>', '<a:b xmlns:a="urn:1">a<c/>b</a:b>',
    '<a:b xmlns:a="urn:1">  <c/>  <d> x </d>  </a:b>', '<a:b xmlns:a="urn:1"><c>\n<d/>\n</c><e>  </e></a:b>', '<a:b xmlns:a="urn:1" xml:space="preserve"> <c/> </a:b>',
    '<a:b xmlns:a="urn:1"><d xmlns="urn:2"><e/></d>&lt;&amp;&gt;"\'é&#13;</a:b>', '<a:b xmlns:a="urn:1" a:k="v" xmlns:c="urn:3" c:k="w"/>',
  ], (v) => `<metadata>${v}</metadata>`],
  ['named', 'metadata element', ['<metadata/>', '<metadata><x xmlns="u:1"/></metadata><metadata><y xmlns="u:2"/></metadata>'], (v) => v],
];

const forward: readonly Trial[] = [
  ['named', 'forward/@mode', ['', 'none', 'nat', 'route', 'open', 'bridge', 'private', 'vepa', 'passthrough', 'hostdev', 'NAT', 'junk'], (v) => `<forward mode='${v}'/>`],
  ['named', 'forward/@mode with ip', ['', 'none', 'nat', 'route', 'open', 'bridge', 'private', 'vepa', 'passthrough', 'hostdev', 'NAT'], (v) => `<forward mode='${v}'/>${inIp('')}`],
  ['named', 'forward', ['<forward/>', '<forward><nat/></forward>', '<forward mode="none" dev="eth0"/>', '<forward mode="nat"/><forward mode="route"/>'], (v) => `${v}${inIp('')}`],
  ...(['nat', 'route', 'open', 'bridge', 'private', 'vepa', 'passthrough', 'hostdev'] as const).flatMap((mode): Trial[] => [
    ['named', `forward ${mode} devices`, [
      `<forward mode='${mode}' dev='eth0'/>`, `<forward mode='${mode}' dev=''/>`, `<forward mode='${mode}'><interface dev='eth1'/></forward>`,
      `<forward mode='${mode}' dev='eth1'><interface dev='eth1'/></forward>`, `<forward mode='${mode}' dev='eth0'><interface dev='eth1'/></forward>`,
      `<forward mode='${mode}'><interface dev='eth0' connections='2'/><interface dev='eth1'/></forward>`,
      `<forward mode='${mode}'><interface dev='eth0'/><interface dev='eth0'/></forward>`, `<forward mode='${mode}'><interface/></forward>`,
      `<forward mode='${mode}'><pf dev='eth0'/></forward>`, `<forward mode='${mode}'><pf/></forward>`, `<forward mode='${mode}'><pf dev='a'/><pf dev='b'/></forward>`,
      `<forward mode='${mode}'><pf dev='a'/><interface dev='b'/></forward>`, `<forward mode='${mode}' dev='b'><pf dev='a'/></forward>`,
      `<forward mode='${mode}' managed='yes'><address type='pci' domain='0' bus='0x3' slot='4' function='0x1'/></forward>`,
      `<forward mode='${mode}'><pf dev='a'/><address type='pci' bus='1'/></forward>`, `<forward mode='${mode}' dev='x'><address type='pci' bus='1'/></forward>`,
      `<forward mode='${mode}'><interface dev='b'/><address type='pci' bus='1'/></forward>`,
    ], (v) => `${v}${['nat', 'route', 'open'].includes(mode) ? inIp('') : ''}`],
    ['named', `forward ${mode} nat`, ['<nat/>', "<nat><port start='1024' end='2000'/></nat>"], (v) => `<forward mode='${mode}'>${v}</forward>${['nat', 'route', 'open'].includes(mode) ? inIp('') : ''}`],
    ['named', `forward ${mode} with bridge`, ["name='br9'", "stp='off'", "delay='0'", "delay='3'", "zone='public'", "macTableManager='libvirt'", ''], (v) =>
      `<forward mode='${mode}'/><bridge ${v}/>${['nat', 'route', 'open'].includes(mode) ? inIp('') : ''}`],
  ]),
  ['named', 'forward/@managed', ['yes', 'no', 'YES', 'junk', ''], (v) => `<forward mode='hostdev' managed='${v}'><pf dev='eth0'/></forward>`],
  ['named', 'forward address', [
    "type='pci'", "type='pci' bus='256'", "type='pci' slot='32'", "type='pci' function='8'", "type='pci' domain='65536'", "type='pci' domain='0xffff' bus='0xff' slot='0x1f' function='7'",
    "type='usb'", "type='junk'", '', "type='pci' bus='010'", "type='pci' bus='x'", "type='pci' bus='-1'", "type='pci' bus=''", "type='pci' multifunction='on' bus='1'",
  ], (v) => `<forward mode='hostdev'><address ${v}/></forward>`],
  ['named', 'forward addresses', ["<address type='pci' bus='1'/><address type='pci' bus='1'/>", "<address type='pci' bus='1'/><address type='pci' bus='2'/>"], (v) => `<forward mode='hostdev'>${v}</forward>`],
  ['named', 'forward/driver', ["name='vfio'", "name='kvm'", "name='xen'", "name='junk'", "name=''", ''], (v) => `<forward mode='hostdev'><driver ${v}/><pf dev='eth0'/></forward>`],
  ['named', 'nat', [
    "<nat ipv6='yes'/>", "<nat ipv6='no'/>", "<nat ipv6='x'/>", '<nat/><nat/>', '<nat/>', "<nat><address start='1.2.3.4' end='1.2.3.9'/></nat>", "<nat><address start='1.2.3.4'/></nat>",
    "<nat><address end='1.2.3.4'/></nat>", "<nat><address start='1.2.3.9' end='1.2.3.4'/></nat>", "<nat><address start='1.2.0.0' end='1.3.0.0'/></nat>", "<nat><address start='1.2.0.0' end='1.2.255.255'/></nat>",
    "<nat><address start='1.2.0.0' end='1.3.0.1'/></nat>", "<nat><address start='::1' end='::2'/></nat>", "<nat><address start='x' end='1.2.3.4'/></nat>",
    "<nat><address start='1.2.3.4' end='1.2.3.4'/></nat>", "<nat><address start='1.2.3.4' end='1.2.3.5'/><address start='1.2.3.4' end='1.2.3.5'/></nat>", '<nat><port/></nat>',
    "<nat><port start='0' end='0'/></nat>", "<nat><port start='5' end='5'/></nat>", "<nat><port start='9' end='5'/></nat>", "<nat><port start='1' end='65536'/></nat>", "<nat><port start='x' end='5'/></nat>",
    "<nat><port start='-1' end='5'/></nat>", "<nat><port end='5'/></nat>", "<nat><port start='5'/></nat>", "<nat><port start='1' end='2'/><port start='3' end='4'/></nat>",
    "<nat ipv6='yes'><address start='1.2.3.4' end='1.2.3.5'/><port start='1000' end='2000'/></nat>", "<nat ipv6='no'><port start='1000' end='2000'/></nat>",
  ], (v) => `<forward mode='nat'>${v}</forward>${inIp('')}`],
];

const bridge: readonly Trial[] = [
  ['isolated', 'bridge/@name', [...names, 'virbr%d', '%d', 'a%d%d', 'toolongforaninterface', 'br.1', 'br:1'], (v) => `<bridge name='${v}'/>`],
  ['isolated', 'bridge/@stp', ['on', 'off', 'OFF', 'junk', ''], (v) => `<bridge stp='${v}'/>`],
  ['isolated', 'bridge/@delay', numbers, (v) => `<bridge delay='${v}'/>`],
  ['isolated', 'bridge/@zone', ['public', '', 'a b'], (v) => `<bridge zone='${v}'/>`],
  ['isolated', 'bridge/@macTableManager', ['kernel', 'libvirt', 'default', '', 'junk'], (v) => `<bridge macTableManager='${v}'/>`],
  ['isolated', 'mtu/@size', numbers, (v) => `<mtu size='${v}'/>`],
  ['isolated', 'mac/@address', macs, (v) => `<mac address='${v}'/>`],
  ['isolated', 'elements without attributes', ['<mtu/>', '<mac/>', '<bridge/>', '<port/>', '<domain/>', '<dns/>', '<bandwidth/>', '<vlan/>', '<virtualport/>', '<portgroup/>', '<ip/>', '<route/>'], (v) => v],
  ['isolated', 'port/@isolated', yesNo, (v) => `<port isolated='${v}'/>`],
];

const domainAndDns: readonly Trial[] = [
  ['isolated', 'domain/@name', names, (v) => `<domain name='${v}'/>`],
  ['isolated', 'domain/@localOnly', yesNo, (v) => `<domain name='d' localOnly='${v}'/>`],
  ['isolated', 'domain/@localOnly without name', ['yes', 'junk'], (v) => `<domain localOnly='${v}'/>`],
  ['isolated', 'domain/@register', ['yes', 'no', 'junk'], (v) => `<domain name='d' localOnly='yes' register='${v}'/>`],
  ['isolated', 'dns/@enable', yesNo, (v) => `<dns enable='${v}'/>`],
  ['isolated', 'dns/@forwardPlainNames', yesNo, (v) => `<dns forwardPlainNames='${v}'/>`],
  ['isolated', 'dns off with', ["<txt name='a' value='b'/>", "<forwarder addr='1.2.3.4'/>", "<host ip='1.2.3.4'><hostname>a</hostname></host>", "<srv service='a' protocol='tcp'/>"], (v) => `<dns enable='no'>${v}</dns>`],
  ['isolated', 'forwarder/@addr', addresses, (v) => `<dns><forwarder addr='${v}'/></dns>`],
  ['isolated', 'forwarder/@domain', names, (v) => `<dns><forwarder domain='${v}'/></dns>`],
  ['isolated', 'forwarder', ['', "domain='a' addr='1.2.3.4'", "addr='::1'"], (v) => `<dns><forwarder ${v}/></dns>`],
  ['isolated', 'txt/@name', names, (v) => `<dns><txt name='${v}' value='x'/></dns>`],
  ['isolated', 'txt/@value', names, (v) => `<dns><txt name='n' value='${v}'/></dns>`],
  ['isolated', 'txt', ["name='a'", "value='a'", ''], (v) => `<dns><txt ${v}/></dns>`],
  ['isolated', 'srv/@service', ['http', '_x', 'a+b/c*-d', 'a b', '', 'é', 'a.b', 'x'.repeat(482), 'x'.repeat(483)], (v) => `<dns><srv service='${v}' protocol='tcp'/></dns>`],
  ['isolated', 'srv/@protocol', ['tcp', 'udp', 'sctp', '_tcp', '', 'a b', 'a-b/c+d', 'TCP'], (v) => `<dns><srv service='s' protocol='${v}'/></dns>`],
  ['isolated', 'srv/@domain', names, (v) => `<dns><srv service='s' protocol='tcp' domain='${v}'/></dns>`],
  ['isolated', 'srv/@target', names, (v) => `<dns><srv service='s' protocol='tcp' target='${v}'/></dns>`],
  ...(['port', 'priority', 'weight'] as const).flatMap((name): Trial[] => [
    ['isolated', `srv/@${name}`, [...numbers, '65535', '65536'], (v) => `<dns><srv service='s' protocol='tcp' target='t' ${name}='${v}'/></dns>`],
    ['isolated', `srv/@${name} without target`, ['0', '1'], (v) => `<dns><srv service='s' protocol='tcp' ${name}='${v}'/></dns>`],
  ]),
  ['isolated', 'srv', ["service='s'", "protocol='tcp'", '', "service='s' protocol='tcp' domain='d' target='t.' port='1024' priority='10' weight='10'"], (v) => `<dns><srv ${v}/></dns>`],
  ['isolated', 'dns host/@ip', addresses, (v) => `<dns><host ip='${v}'><hostname>a</hostname></host></dns>`],
  ['isolated', 'hostname', names, (v) => `<dns><host ip='1.2.3.4'><hostname>${v}</hostname></host></dns>`],
  ['isolated', 'dns host', ["<host ip='1.2.3.4'/>", '<host><hostname>a</hostname></host>', "<host ip='1.2.3.4'><hostname>a</hostname><hostname>b</hostname></host>", "<host ip='1.2.3.4'><hostname/></host>"], (v) => `<dns>${v}</dns>`],
  ['bridge', 'dns in a host bridge', ["<forwarder addr='1.2.3.4'/>", "<txt name='a' value='b'/>", ''], (v) => `<dns forwardPlainNames='no'>${v}</dns>`],
];

const addressing: readonly Trial[] = [
  ['isolated', 'ip/@address', addresses, (v) => `<ip address='${v}'/>`],
  ['isolated', 'ip/@address ipv6', addresses, (v) => `<ip family='ipv6' address='${v}'/>`],
  ['isolated', 'ip/@family', ['ipv4', 'ipv6', 'IPV4', '', 'junk'], (v) => `<ip family='${v}' address='10.1.2.3'/>`],
  ['isolated', 'ip/@netmask', ['255.255.255.0', '255.0.255.0', '0.0.0.0', '255.255.255.255', 'ffff::', 'junk', '', '24'], (v) => `<ip address='10.1.2.3' netmask='${v}'/>`],
  ['isolated', 'ip/@prefix', [...numbers, '24', '32', '33'], (v) => `<ip address='10.1.2.3' prefix='${v}'/>`],
  ['isolated', 'ip/@prefix ipv6', ['0', '64', '128', '129'], (v) => `<ip family='ipv6' address='2001:db8::1' prefix='${v}'/>`],
  ['isolated', 'ip sizes', ["address='10.1.2.3' netmask='255.255.255.0' prefix='24'", "address='10.1.2.3' netmask='255.255.255.0' prefix='0'", "family='ipv6' address='2001:db8::1' netmask='255.0.0.0'",
    "address='224.1.2.3'", "address='240.1.2.3' prefix='8'", "family='ipv4' address='10.1.2.3' prefix='8'"], (v) => `<ip ${v}/>`],
  ['isolated', 'ip/@localPtr', yesNo, (v) => `<ip address='10.1.2.3' prefix='24' localPtr='${v}'/>`],
  ['isolated', 'ip/@localPtr with prefix', ['23', '8', '32'], (v) => `<ip address='10.1.2.3' prefix='${v}' localPtr='yes'/>`],
  ['isolated', 'tftp', ["<tftp root='/var/tftp'/>", '<tftp/>', "<tftp root=''/>", "<tftp root='/a b'/>"], inIp],
  ['isolated', 'tftp ipv6', ["<tftp root='/var/tftp'/>", '<tftp/>'], inIp6],
  ['isolated', 'range', [
    "start='10.1.2.2' end='10.1.2.9'", "start='10.1.2.2'", "end='10.1.2.9'", '', "start='10.1.2.9' end='10.1.2.2'", "start='10.1.3.2' end='10.1.3.9'", "start='10.1.2.0' end='10.1.2.9'",
    "start='10.1.2.1' end='10.1.2.255'", "start='10.1.2.1' end='10.1.2.254'", "start='junk' end='10.1.2.9'", "start='10.1.2.2' end='junk'", "start='::1' end='::2'", "start='10.1.2.2' end='::2'",
    "start='10.1.2.5' end='10.1.2.5'", "start='010.1.2.5' end='10.1.2.9'", "start='' end=''",
  ], (v) => inIp(`<dhcp><range ${v}/></dhcp>`)],
  ['isolated', 'range in a wide subnet', ["start='10.1.0.2' end='10.1.255.254'", "start='10.0.0.2' end='10.1.0.1'", "start='10.0.0.2' end='10.1.0.2'", "start='10.0.0.2' end='10.1.0.3'"], (v) =>
    `<ip address='10.0.0.1' netmask='255.0.0.0'><dhcp><range ${v}/></dhcp></ip>`],
  ['isolated', 'range without a mask', ["start='10.9.9.9' end='10.9.9.10'", "start='11.0.0.1' end='11.0.0.2'"], (v) => `<ip address='10.0.0.1'><dhcp><range ${v}/></dhcp></ip>`],
  ['isolated', 'range in a tiny subnet', ['31', '30', '32'], (v) => `<ip address='10.0.0.1' prefix='${v}'><dhcp><range start='10.0.0.1' end='10.0.0.1'/></dhcp></ip>`],
  ['isolated', 'range ipv6', [
    "start='2001:db8:1::2' end='2001:db8:1::ff'", "start='2001:db8:1::1:0' end='2001:db8:1::2:0'", "start='2001:db8:1::1:0' end='2001:db8:1::1:ffff'", "start='2001:db8:2::1' end='2001:db8:2::2'",
    "start='2001:db8:1::' end='2001:db8:1::2'", "start='2001:db8:1::9' end='2001:db8:1::2'", "start='10.1.2.3' end='10.1.2.4'", "start='2001:db8:1:0:1::1' end='2001:db8:1:0:1::2'",
  ], (v) => inIp6(`<dhcp><range ${v}/></dhcp>`)],
  ['isolated', 'ranges', ["<range start='10.1.2.2' end='10.1.2.9'/><range start='10.1.2.2' end='10.1.2.9'/>"], (v) => inIp(`<dhcp>${v}</dhcp>`)],
  ['isolated', 'lease', ["expiry='0'", "expiry='0' unit='hours'", "expiry='1'", "expiry='2'", "expiry='119' unit='seconds'", "expiry='120' unit='seconds'", "expiry='1' unit='hours'", "unit='hours'",
    "expiry='5' unit='days'", "expiry='x'", "expiry='-1'", '', "expiry='5' unit=''", "expiry='4294967295' unit='hours'"], (v) => inIp(`<dhcp><range start='10.1.2.2' end='10.1.2.9'><lease ${v}/></range></dhcp>`)],
  ['isolated', 'host/@mac', macs, (v) => inIp(`<dhcp><host mac='${v}' ip='10.1.2.3'/></dhcp>`)],
  ['isolated', 'host/@name', names, (v) => inIp(`<dhcp><host name='${v}' ip='10.1.2.3'/></dhcp>`)],
  ['isolated', 'host/@ip', addresses, (v) => inIp(`<dhcp><host name='h' ip='${v}'/></dhcp>`)],
  ['isolated', 'host/@id', ['00:01:02', 'ff', '0x1', 'a b', '', ':'], (v) => inIp6(`<dhcp><host id='${v}' ip='2001:db8:1::5'/></dhcp>`)],
  ['isolated', 'host', ["ip='10.1.2.3'", "mac='52:54:00:00:00:01'", "id='00:01' ip='10.1.2.3'", "mac='52:54:00:00:00:01' name='a' id='01' ip='10.1.2.3'", "name='1a' ip='10.1.2.3'", "name='-a' ip='10.1.2.3'"], (v) => inIp(`<dhcp><host ${v}/></dhcp>`)],
  ['isolated', 'host ipv6', ["ip='2001:db8:1::5'", "mac='52:54:00:00:00:01' ip='2001:db8:1::5'", "name='a' ip='2001:db8:1::5'", "name='a' id='01:02' ip='2001:db8:1::5'"], (v) => inIp6(`<dhcp><host ${v}/></dhcp>`)],
  ['isolated', 'host lease', ["expiry='30'", "expiry='0'"], (v) => inIp(`<dhcp><host name='a' ip='10.1.2.3'><lease ${v}/></host></dhcp>`)],
  ['isolated', 'bootp', ["file='a.0'", "file='a.0' server='10.1.2.9'", "file='a.0' server='junk'", "server='10.1.2.9'", '', "file='' server='10.1.2.9'", "file='a.0' server=''", "file='a,b'", "file='a.0' server='boot.example.com'"], (v) =>
    inIp(`<dhcp><range start='10.1.2.2' end='10.1.2.9'/><bootp ${v}/></dhcp>`)],
  ['isolated', 'bootp alone', ["file='a.0'"], (v) => inIp(`<dhcp><bootp ${v}/></dhcp>`)],
  ['isolated', 'bootp ipv6', ["file='a.0'"], (v) => inIp6(`<dhcp><range start='2001:db8:1::2' end='2001:db8:1::9'/><bootp ${v}/></dhcp>`)],
  ['isolated', 'dhcp', ['<dhcp/>', "<dhcp><host name='a' ip='10.1.2.3'/><range start='10.1.2.2' end='10.1.2.9'/></dhcp>"], inIp],
  ['isolated', 'several ips', [`${inIp('')}${inIp6('')}${inIp('')}`,
    `${inIp("<dhcp><range start='10.1.2.2' end='10.1.2.9'/></dhcp>")}<ip address='10.5.0.1' prefix='24'><dhcp><range start='10.5.0.2' end='10.5.0.9'/></dhcp></ip>`,
    `${inIp("<dhcp><range start='10.1.2.2' end='10.1.2.9'/></dhcp>")}${inIp6("<dhcp><range start='2001:db8:1::2' end='2001:db8:1::9'/></dhcp>")}`], (v) => v],
  ['nat', 'route', [
    "address='10.5.0.0' prefix='16' gateway='192.168.77.9'", "address='10.5.0.0' netmask='255.255.0.0' gateway='192.168.77.9'", "address='10.5.0.1' prefix='16' gateway='192.168.77.9'", "address='10.5.0.0' gateway='192.168.77.9'",
    "address='0.0.0.0' gateway='192.168.77.9'", "address='0.0.0.0' prefix='0' gateway='192.168.77.9'", "address='0.0.0.0' netmask='0.0.0.0' gateway='192.168.77.9'", "address='10.5.0.0' prefix='16' gateway='192.168.78.9'",
    "address='10.5.0.0' prefix='16' gateway='192.168.77.1'", "address='10.5.0.0' prefix='16'", "prefix='16' gateway='192.168.77.9'", "address='junk' prefix='16' gateway='192.168.77.9'", "address='10.5.0.0' prefix='16' gateway='junk'",
    "address='10.5.0.0' prefix='33' gateway='192.168.77.9'", "address='10.5.0.0' prefix='x' gateway='192.168.77.9'", "address='10.5.0.0' prefix='16' netmask='255.255.0.0' gateway='192.168.77.9'",
    "family='ipv4' address='10.5.0.0' prefix='16' gateway='192.168.77.9' metric='2'", "address='10.5.0.0' prefix='16' gateway='192.168.77.9' metric='0'", "address='10.5.0.0' prefix='16' gateway='192.168.77.9' metric='x'",
    "address='10.5.0.0' prefix='16' gateway='192.168.77.9' metric='-1'", "family='ipv6' address='2001:db8:5::' prefix='48' gateway='2001:db8::1'", "family='ipv6' address='10.5.0.0' prefix='16' gateway='192.168.77.9'",
    "address='2001:db8:5::' prefix='48' gateway='192.168.77.9'", "family='junk' address='10.5.0.0' prefix='16' gateway='192.168.77.9'", "address='10.5.0.0' netmask='255.0.255.0' gateway='192.168.77.9'", "address='10.5.0.0' netmask='junk' gateway='192.168.77.9'",
    "address='10.5.0.0' netmask='ffff::' gateway='192.168.77.9'", '', "family='' address='10.5.0.0' prefix='16' gateway='192.168.77.9'", "address='' prefix='16' gateway='192.168.77.9'", "address='10.5.0.0' prefix='16' gateway='192.168.77.9' metric=''",
  ], (v) => `<route ${v}/>`],
  ['isolated', 'route ipv6', ["address='2001:db8:5::' prefix='48' gateway='2001:db8:1::9'", "address='2001:db8:5::1' prefix='48' gateway='2001:db8:1::9'", "address='::' prefix='0' gateway='2001:db8:1::9'", "address='::' gateway='2001:db8:1::9'",
    "address='2001:db8:5::' netmask='255.0.0.0' gateway='2001:db8:1::9'", "address='2001:db8:5::' prefix='129' gateway='2001:db8:1::9'", "address='2001:db8:5::' prefix='48' gateway='10.0.0.1'"], (v) => `${inIp6('')}<route family='ipv6' ${v}/>`],
];

const quality: readonly Trial[] = [
  ['isolated', 'bandwidth', [
    "<inbound average='1000'/>", "<inbound average='1000' peak='2000' burst='100'/><outbound average='5'/>", '<inbound/>', "<inbound peak='5'/>", "<inbound burst='5'/>", "<inbound floor='5'/>", "<inbound average='5' floor='5'/>", "<inbound average='0'/>",
    "<outbound floor='5'/>", "<outbound average='5' floor='5'/>", "<inbound average='1' peak='0' burst='0'/>", "<inbound average='1'/><inbound average='2'/>", '',
  ], (v) => `<bandwidth>${v}</bandwidth>`],
  ['isolated', 'inbound/@average', numbers, (v) => `<bandwidth><inbound average='${v}'/></bandwidth>`],
  ['isolated', 'inbound/@burst', ['0', '4194303', '4194304', 'x'], (v) => `<bandwidth><inbound average='1' burst='${v}'/></bandwidth>`],
  ['isolated', 'bandwidth/@classID', ['3', 'x', ''], (v) => `<bandwidth classID='${v}'><inbound average='1'/></bandwidth>`],
  ...(['isolated', 'bridge', 'macvtap', 'private', 'hostdev', 'passthrough'] as const).flatMap((mode): Trial[] => [
    [mode, `${mode} vlan`, ["<tag id='42'/>"], (v) => `<vlan>${v}</vlan>`],
    [mode, `${mode} bandwidth`, ["<inbound average='1000'/>"], (v) => `<bandwidth>${v}</bandwidth>`],
    [mode, `${mode} elements`, [inIp(''), "<mac address='52:54:00:00:00:01'/>", "<mtu size='9000'/>", "<domain name='d'/>", "<dns><txt name='a' value='b'/></dns>", "<port isolated='yes'/>", "<virtualport type='openvswitch'/>"], (v) => v],
    [mode, `${mode} portgroup`, ["<portgroup name='g'/>", "<portgroup name='g'><vlan><tag id='1'/></vlan></portgroup>", "<portgroup name='g'><bandwidth><inbound average='1'/></bandwidth></portgroup>"], (v) => v],
  ]),
  ['hostdev', 'vlan/tag/@id', [...numbers, '4095', '4096'], (v) => `<vlan><tag id='${v}'/></vlan>`],
  ['hostdev', 'vlan', [
    '<vlan/>', '<vlan><tag/></vlan>', "<vlan trunk='yes'><tag id='1'/></vlan>", "<vlan trunk='no'><tag id='1'/></vlan>", "<vlan trunk='YES'><tag id='1'/></vlan>", "<vlan trunk='NO'><tag id='1'/></vlan>", "<vlan trunk='junk'><tag id='1'/></vlan>", "<vlan trunk=''><tag id='1'/></vlan>",
    "<vlan><tag id='1'/><tag id='2'/></vlan>", "<vlan trunk='no'><tag id='1'/><tag id='2'/></vlan>", "<vlan trunk='yes'><tag id='1'/><tag id='1'/></vlan>", "<vlan><tag id='1' nativeMode='tagged'/></vlan>",
    "<vlan trunk='yes'><tag id='1' nativeMode='untagged'/><tag id='2'/></vlan>", "<vlan><tag id='1' nativeMode='tagged'/><tag id='2' nativeMode='tagged'/></vlan>", "<vlan><tag id='1' nativeMode='junk'/></vlan>", "<vlan trunk='no'><tag id='1' nativeMode='tagged'/></vlan>",
    "<vlan><tag id='1' nativeMode=''/></vlan>",
  ], (v) => v],
  ['isolated', 'portgroup/@name', names, (v) => `<portgroup name='${v}'/>`],
  ['isolated', 'portgroup', ["name='a' default='yes'", "name='a' default='YES'", "name='a' default='no'", "name='a' default='junk'", "name='a' default=''", "name='a' trustGuestRxFilters='yes'", "name='a' trustGuestRxFilters='no'", "name='a' trustGuestRxFilters='x'", "name='a' trustGuestRxFilters=''"], (v) => `<portgroup ${v}/>`],
  ['isolated', 'portgroups', ["<portgroup name='a'/><portgroup name='a'/>", "<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/>",
    "<portgroup name='a' default='yes' trustGuestRxFilters='no'><bandwidth><inbound average='1'/></bandwidth><virtualport><parameters profileid='p'/></virtualport></portgroup><portgroup name='b'/>",
    "<portgroup name='a'><bandwidth classID='4'/></portgroup>", "<portgroup name='a'><bandwidth><inbound average='1' floor='1'/></bandwidth></portgroup>", "<portgroup name='a'><virtualport type='junk'/></portgroup>"], (v) => v],
  ['isolated', 'virtualport/@type', ['802.1Qbg', '802.1Qbh', 'openvswitch', 'midonet', 'junk', '', 'OPENVSWITCH'], (v) => `<virtualport type='${v}'/>`],
  ['isolated', 'virtualport', [
    "type='802.1Qbg'><parameters managerid='11' typeid='1193047' typeidversion='2' instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/>", "type='802.1Qbg'><parameters managerid='0x0b' typeid='0xffffff' typeidversion='010'/>",
    "type='802.1Qbg'><parameters managerid='256'/>", "type='802.1Qbg'><parameters typeid='16777216'/>", "type='802.1Qbg'><parameters typeidversion='256'/>", "type='802.1Qbg'><parameters managerid='x'/>", "type='802.1Qbg'><parameters managerid='-1'/>",
    "type='802.1Qbg'><parameters instanceid='junk'/>", "type='802.1Qbg'><parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/>", "type='802.1Qbg'><parameters profileid='p'/>", "type='802.1Qbh'><parameters profileid='p'/>",
    `type='802.1Qbh'><parameters profileid='${'p'.repeat(39)}'/>`, `type='802.1Qbh'><parameters profileid='${'p'.repeat(40)}'/>`, "type='802.1Qbh'><parameters managerid='1'/>", "type='802.1Qbh'><parameters profileid=''/>",
    "type='openvswitch'><parameters interfaceid='09B11C53-8b5c-4eeb-8f00-d84eaa0aaa4f' profileid='p q'/>", "type='openvswitch'><parameters managerid='1'/>", "type='openvswitch'><parameters interfaceid='junk'/>", "type='openvswitch'><parameters/>",
    "type='midonet'><parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/>", "type='midonet'><parameters profileid='p'/>", "><parameters profileid='p'/>", "type='802.1Qbg'><parameters typeid='0'/>", "type='802.1Qbg'><parameters managerid='0' typeid='0' typeidversion='0'/>",
  ], (v) => `<virtualport ${v}</virtualport>`],
];

const roots: readonly Sample[] = [
  ...yesNo.map((v) => ({ label: `network/@ipv6 = ${v}`, xml: `<network ipv6='${v}'><name>n</name>${uuid}</network>` })),
  ...yesNo.map((v) => ({ label: `network/@trustGuestRxFilters = ${v}`, xml: `<network trustGuestRxFilters='${v}'><name>n</name>${uuid}</network>` })),
  ...['2', 'junk', '-1'].map((v) => ({ label: `network/@connections = ${v}`, xml: `<network connections='${v}'><name>n</name>${uuid}</network>` })),
  ...['', '<network>', '<net/>', '<network/>', '<network></network>', '<a/><b/>', 'text', "<?xml version='1.0'?><network><name>n</name></network>", "<!-- c --><network><name>n</name></network><!-- d -->",
    '<network><name>n</name></network>x', '<network><name>n</name><name></network>', "<network a='1' a='2'><name>n</name></network>", '<network><name>&nbsp;</name></network>', '<network><name>&#0;</name></network>',
    "<network xmlns='urn:x'><name>n</name></network>", "<x:network xmlns:x='urn:x'><name>n</name></x:network>", "<network><name>n</name><?pi x?></network>", '<network><name>a & b</name></network>',
  ].map((xml) => ({ label: `document ${xml}`, xml: xml.replace('</name>', `</name>${xml.includes('urn:x') ? uuid : ''}`) })),
];

/** Whole networks, as people write them. */
const written: readonly Sample[] = [
  ['default', `<network>
  <name>default</name>
  ${uuid}
  <forward mode='nat'/>
  <bridge name='virbr0' stp='on' delay='0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>`],
  ['everything managed', `<network ipv6='yes' trustGuestRxFilters='no' connections='3'><name>all</name>${uuid}
  <bridge name='vn%d' stp='off' delay='2' zone='trusted' macTableManager='libvirt'/><mtu size='1400'/><mac address='52:54:00:1:2:3'/>
  <forward dev='uplink0'><nat ipv6='yes'><port start='2000' end='3000'/><address start='203.0.113.4' end='203.0.113.7'/></nat></forward>
  <domain name='lab.example' localOnly='yes'/>
  <dns forwardPlainNames='no'><host ip='10.7.0.2'><hostname>a</hostname><hostname>b</hostname></host><txt name='t' value='hello, "world"'/>
    <srv service='ldap' protocol='tcp' domain='lab.example' target='a' port='389' priority='1' weight='2'/><forwarder domain='corp.example' addr='10.99.0.1'/><forwarder addr='2001:DB8::53'/></dns>
  <portgroup name='gold' default='yes'><bandwidth><outbound average='9'/><inbound burst='4' peak='6' average='5'/></bandwidth></portgroup>
  <bandwidth><inbound average='1000' peak='5000' burst='1024'/><outbound average='128'/></bandwidth><port isolated='yes'/>
  <route address='10.8.0.0' prefix='16' gateway='10.7.0.9' metric='7'/>
  <ip address='10.7.0.1' netmask='255.255.0.0' localPtr='yes'><tftp root='/srv/tftp'/><dhcp><bootp file='pxelinux.0' server='10.7.0.3'/>
    <range start='10.7.1.1' end='10.7.1.200'><lease expiry='12' unit='hours'/></range><range start='10.7.2.1' end='10.7.2.9'/>
    <host mac='52:54:00:0a:0b:0c' name='a' ip='10.7.0.2'><lease expiry='0'/></host><host name='b' ip='10.7.0.3'/></dhcp></ip>
  <ip family='ipv6' address='2001:DB8:7::1' prefix='64'><dhcp><range start='2001:db8:7::100' end='2001:db8:7::1ff'/><host id='0:1:2' name='a' ip='2001:db8:7::2'/></dhcp></ip>
</network>`],
  ['hostdev pool', `<network><name>sriov</name>${uuid}<forward mode='hostdev' managed='yes'><driver name='vfio'/><address type='pci' domain='0' bus='4' slot='0' function='1'/>
  <address type='pci' bus='0x04' function='0x2'/></forward><vlan trunk='yes'><tag id='5'/><tag id='6' nativeMode='untagged'/></vlan></network>`],
  ['open vswitch', `<network><name>ovs</name>${uuid}<forward mode='bridge'/><bridge name='ovsbr0'/><virtualport type='openvswitch'><parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f' profileid='x'/></virtualport>
  <vlan><tag id='42'/></vlan><portgroup name='a' default='yes'><vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan></portgroup></network>`],
].map(([label, xml]) => ({ label: `network ${label}`, xml: xml as string }));

/** One fault each, for documents with two: which of them gives the error its code? */
const faults: Readonly<Record<string, string>> = {
  uuid: '<uuid>junk</uuid>', 'name with a slash': '<name>a/b</name>', 'domain localOnly': "<domain name='d' localOnly='x'/>", 'bandwidth class': "<bandwidth classID='3'/>",
  'bandwidth floor': "<bandwidth><inbound average='1' floor='1'/></bandwidth>", vlan: '<vlan/>', port: "<port isolated='x'/>", 'bridge delay': "<bridge delay='x'/>", mac: "<mac address='x'/>",
  txt: '<dns><txt/></dns>', 'dns enable': "<dns enable='x'/>", 'virtualport type': "<virtualport type='junk'/>", 'virtualport without type': '<virtualport/>', 'portgroup without name': '<portgroup/>',
  'portgroup bandwidth': "<portgroup name='g'><bandwidth classID='1'/></portgroup>", 'portgroup virtualport': "<portgroup name='g'><virtualport type='junk'/></portgroup>", 'ip prefix': "<ip address='1.2.3.4' prefix='99'/>",
  'ip without address': '<ip/>', 'range text': "<ip address='10.0.0.1' prefix='24'><dhcp><range start='x' end='y'/></dhcp></ip>", 'range outside': "<ip address='10.0.0.1' prefix='24'><dhcp><range start='11.0.0.1' end='11.0.0.2'/></dhcp></ip>",
  route: '<route/>', 'route gateway': "<route address='1.0.0.0' prefix='8' gateway='9.9.9.9'/>", 'forward mode': "<forward mode='junk'/>", 'nat in open': "<forward mode='open'><nat/></forward>",
  'nat port': "<forward mode='nat'><nat><port/></nat></forward>", 'nat address': "<forward mode='nat'><nat><address start='1.2.3.4' end='1.2.3.3'/></nat></forward>", 'forward address': "<forward mode='hostdev'><address type='junk'/></forward>",
  'bridge in hostdev': "<forward mode='hostdev'/><bridge name='x'/>", mtu: "<mtu size='x'/>", 'nat without ip': '<forward/>', 'mtu in private': "<forward mode='private'/><mtu size='5'/>",
};

const twoFaults: readonly Sample[] = Object.entries(faults).flatMap(([one, first]) => Object.entries(faults).filter(([other]) => other !== one).map(([other, second]) => ({
  label: `faults ${one} + ${other}`, xml: `<network>${[first, second].some((fault) => fault.startsWith('<name>')) ? '' : '<name>n</name>'}${first}${second}</network>`,
})));

/** All of them. */
export const samples: readonly Sample[] = [
  ...[identity, metadata, forward, bridge, domainAndDns, addressing, quality].flat().flatMap(([surroundings, what, values, fragment]) =>
    values.map((value) => ({ label: `${what} = ${value}`, xml: around[surroundings](fragment(value)) }))),
  ...roots,
  ...written,
  ...twoFaults,
];
