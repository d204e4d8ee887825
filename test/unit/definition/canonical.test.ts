/** Documents as people write them, and the canonical form each one has. */
import { describe, expect, it } from 'vitest';
import { formatNetwork, isManaged, networkMode, parseNetwork, prefixOfIp, subnetOfIp } from '../../../shared/definition/index.js';
import { formatSubnet } from '../../../shared/address.js';

function canonical(xml: string): string {
  return formatNetwork(parseNetwork(xml).definition);
}

describe('the canonical form', () => {
  it('fills in what libvirt fills in, and nothing that only the daemon can know', () => {
    expect(canonical("<network><name>n</name><forward/><ip address='192.168.050.001'/></network>")).toBe(`<network>
  <name>n</name>
  <forward mode='nat'/>
  <bridge stp='on' delay='0'/>
  <ip address='192.168.40.1'>
  </ip>
</network>
`);
  });

  it('has one order of elements and attributes, single quotes, and escapes everywhere', () => {
    expect(canonical(`<?xml version="1.0"?>
<network trustGuestRxFilters="yes" ipv6="yes">
  <portgroup default='YES' name="a&lt;'b"/>
  <route gateway="10.0.0.9" prefix="24" address="172.16.5.0" metric="2"/>
  <ip prefix="24" address="10.0.0.1"><dhcp>
    <bootp server="10.0.0.2" file="pxe &amp; co"/>
    <host ip="10.0.0.5" name="five" mac="52:54:00:AA:b:C"><lease unit="hours" expiry="1"/></host>
    <range end="10.0.0.99" start="10.0.0.50"><lease expiry="90"/></range>
  </dhcp><tftp root="/srv/tftp"/></ip>
  <ip family="ipv6" address="2001:DB8:0:0::1" prefix="64"/>
  <port isolated="no"/>
  <bandwidth><outbound average="7"/><inbound burst="3" average="1" peak="2"/></bandwidth>
  <dns><host ip="10.0.0.5"><hostname>five</hostname><hostname>cinq</hostname></host>
    <srv weight="0" priority="4" port="25" target="mail" domain="lab" protocol="tcp" service="smtp"/>
    <txt value="x &quot;y&quot;" name="note"/><forwarder addr="9.9.9.9" domain="corp"/></dns>
  <domain localOnly="yes" name="lab"/>
  <mac address="52:54:0:AA:BB:1"/><mtu size="01400"/>
  <bridge macTableManager="libvirt" delay="2" stp="off" zone="public" name="vn0"/>
  <forward dev="eth0" mode="nat"><nat><port end="2000" start="1024"/><address end="192.0.2.9" start="192.0.2.4"/></nat></forward>
  <description>what it is for</description><title>A title</title>
  <uuid>3A7B1F0E95D24C638B1E0F6A2D9C4B57</uuid><name>n</name>
</network>`)).toBe(`<network ipv6='yes' trustGuestRxFilters='yes'>
  <name>n</name>
  <uuid>3a7b1f0e-95d2-4c63-8b1e-0f6a2d9c4b57</uuid>
  <title>A title</title>
  <description>what it is for</description>
  <forward dev='eth0' mode='nat'>
    <nat>
      <address start='192.0.2.4' end='192.0.2.9'/>
      <port start='1024' end='2000'/>
    </nat>
    <interface dev='eth0'/>
  </forward>
  <bridge name='vn0' zone='public' stp='off' delay='2' macTableManager='libvirt'/>
  <mtu size='1400'/>
  <mac address='52:54:00:aa:bb:01'/>
  <domain name='lab' localOnly='yes'/>
  <dns>
    <forwarder domain='corp' addr='9.9.9.9'/>
    <txt name='note' value='x &quot;y&quot;'/>
    <srv service='smtp' protocol='tcp' domain='lab' target='mail' port='25' priority='4'/>
    <host ip='10.0.0.5'>
      <hostname>five</hostname>
      <hostname>cinq</hostname>
    </host>
  </dns>
  <bandwidth>
    <inbound average='1' peak='2' burst='3'/>
    <outbound average='7'/>
  </bandwidth>
  <port isolated='no'/>
  <ip address='10.0.0.1' prefix='24'>
    <tftp root='/srv/tftp'/>
    <dhcp>
      <range start='10.0.0.50' end='10.0.0.99'>
        <lease expiry='90' unit='minutes'/>
      </range>
      <host mac='52:54:00:AA:b:C' name='five' ip='10.0.0.5'>
        <lease expiry='1' unit='hours'/>
      </host>
      <bootp file='pxe &amp; co' server='10.0.0.2'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='2001:db8::1' prefix='64'>
  </ip>
  <route address='172.16.5.0' prefix='24' gateway='10.0.0.9' metric='2'/>
  <portgroup name='a&lt;&apos;b' default='yes'>
  </portgroup>
</network>
`);
  });

  it('prints neither stp nor delay, nor a bridge that says nothing, where the bridge is not ours', () => {
    expect(canonical("<network><name>n</name><bridge name='br0'/><forward mode='bridge'/></network>")).toBe(`<network>
  <name>n</name>
  <forward mode='bridge'/>
  <bridge name='br0'/>
</network>
`);
    expect(canonical("<network><name>n</name><bridge delay='0'/><forward mode='vepa'><interface dev='a'/><interface dev='b'/></forward></network>")).toBe(`<network>
  <name>n</name>
  <forward dev='a' mode='vepa'>
    <interface dev='a'/>
    <interface dev='b'/>
  </forward>
</network>
`);
  });

  it('says of a device pool whether it is managed, and PCI addresses in hexadecimal', () => {
    expect(canonical(`<network><name>n</name><forward mode='hostdev'><driver name='vfio' model='m'/><address type='pci' bus='10' function='0x1'/></forward>
      <vlan><tag id='1'/><tag id='2' nativeMode='tagged'/></vlan><virtualport type='802.1Qbg'><parameters managerid='0x0b' typeid='1'/></virtualport></network>`)).toBe(`<network>
  <name>n</name>
  <forward mode='hostdev' managed='no'>
    <driver name='vfio' model='m'/>
    <address type='pci' domain='0x0000' bus='0x0a' slot='0x00' function='0x1'/>
  </forward>
  <vlan trunk='yes'>
    <tag id='1'/>
    <tag id='2' nativeMode='tagged'/>
  </vlan>
  <virtualport type='802.1Qbg'>
    <parameters managerid='11' typeid='1'/>
  </virtualport>
</network>
`);
  });

  it('keeps the first element of each foreign namespace, in double quotes, with the declarations it needs', () => {
    expect(canonical(`<network xmlns:o="urn:outer"><name>n</name><metadata><plain/><a:x xmlns:a="urn:a" k="&lt;it's&gt;">
      <a:y/>  <z>t &amp; u</z></a:x><a:again xmlns:a="urn:a"/><o:thing o:k="1"/></metadata></network>`)).toBe(`<network>
  <name>n</name>
  <metadata>
    <a:x xmlns:a="urn:a" k="&lt;it's&gt;">
      <a:y/>
      <z>t &amp; u</z>
    </a:x>
    <o:thing xmlns:o="urn:outer" o:k="1"/>
  </metadata>
  <bridge stp='on' delay='0'/>
</network>
`);
  });

  it('keeps lines for dnsmasq, whatever prefix the document uses, and declares the namespace', () => {
    expect(canonical(`<network xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>n</name><d:options><d:option value='log-queries'/></d:options></network>`)).toBe(
      `<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
  <name>n</name>
  <bridge stp='on' delay='0'/>
  <dnsmasq:options>
    <dnsmasq:option value='log-queries'/>
  </dnsmasq:options>
</network>
`);
  });

  it('keeps for whom the host answers on the LAN, last of all, and declares the namespace of vnet', () => {
    const xml = (proxy: string) => `<network xmlns:v='urn:vnet:network:1' xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'>${proxy}<name>n</name>
      <d:options><d:option value='log-queries'/></d:options><forward mode='route' dev='eth0'/><ip address='10.0.0.1' prefix='24'/><ip family='ipv6' address='fd00::1'/></network>`;
    const text = canonical(xml("<v:proxy ndp='yes' arp='yes'/>"));
    expect(text).toMatch(/^<network xmlns:dnsmasq='http:\/\/libvirt.org\/schemas\/network\/dnsmasq\/1.0' xmlns:vnet='urn:vnet:network:1'>\n/);
    expect(text).toMatch(/<\/dnsmasq:options>\n {2}<vnet:proxy arp='yes' ndp='yes'\/>\n<\/network>\n$/);
    expect(canonical(text)).toBe(text);
    expect(canonical(xml("<v:proxy arp='no' ndp='yes'/>"))).toContain("<vnet:proxy ndp='yes'/>");
    for (const nothing of ['<v:proxy/>', "<v:proxy arp='no'/>", "<proxy arp='yes'/>"]) expect(canonical(xml(nothing))).not.toContain('proxy');
  });

  it('of a live network counts the guests on it and on its devices', () => {
    const { definition } = parseNetwork("<network connections='9'><name>n</name><forward mode='private'><interface dev='a' connections='4'/><interface dev='b'/></forward></network>");
    expect(formatNetwork(definition, { connections: 2, interfaceConnections: new Map([['b', 2], ['a', 0]]) })).toBe(`<network connections='2'>
  <name>n</name>
  <forward dev='a' mode='private'>
    <interface dev='a'/>
    <interface dev='b' connections='2'/>
  </forward>
</network>
`);
    expect(formatNetwork(definition, { connections: 0 })).not.toContain('connections');
  });
});

describe('a definition', () => {
  it.each([
    ["<ip address='10.1.2.3'/>", '10.0.0.0/8'], ["<ip address='172.16.2.3'/>", '172.16.0.0/16'], ["<ip address='192.168.2.3'/>", '192.168.2.0/24'],
    ["<ip address='192.168.2.3' prefix='22'/>", '192.168.0.0/22'], ["<ip address='192.168.2.3' netmask='255.255.255.240'/>", '192.168.2.0/28'], ["<ip family='ipv6' address='fd00::5'/>", 'fd00::/64'],
  ])('of %s is on subnet %s', (ip, subnet) => {
    const [part] = parseNetwork(`<network><name>n</name>${ip}</network>`).definition.ips;
    expect(formatSubnet(subnetOfIp(part!))).toBe(subnet);
    expect(prefixOfIp(part!)).toBe(Number(subnet.split('/')[1]));
  });

  it.each([['none', true], ['nat', true], ['route', true], ['open', true], ['bridge', false], ['private', false], ['vepa', false], ['passthrough', false], ['hostdev', false]])('in mode %s has a bridge of its own: %s', (mode, managed) => {
    const { definition } = parseNetwork(`<network><name>n</name><forward mode='${mode}'/>${managed ? "<ip address='10.0.0.1'/>" : ''}</network>`);
    expect(networkMode(definition)).toBe(mode);
    expect(isManaged(definition)).toBe(managed);
    expect(definition.bridge).toEqual(managed ? { stp: true, delay: 0 } : undefined);
  });
});
