/**
 * Lives here: port documents that try every element and attribute of the
 * format with legal and illegal values. Does not know: what should become of
 * them.
 */

/** A document, what it tries, and how it is sent. */
export interface PortSample {
  label: string;
  xml: string;
  reclaim: boolean;
}

export const portUuid = '5d2e0c3a-7f6b-4b57-9d6e-0c8f6a1e2b01';
const uuid = `<uuid>${portUuid}</uuid>`;
const owner = '<owner><name>guest</name><uuid>11111111-2222-4333-8444-555555555555</uuid></owner>';
const mac = "<mac address='52:54:00:12:34:56'/>";

/** A whole document around what a sample tries. */
export function portDocument(inner: string, parts: { uuid?: string; owner?: string; mac?: string } = {}): string {
  return `<networkport>${parts.uuid ?? uuid}${parts.owner ?? owner}${inner.startsWith('<group') ? inner : ''}${parts.mac ?? mac}${inner.startsWith('<group') ? '' : inner}</networkport>`;
}

const ownerOf = (inner: string) => ({ owner: `<owner>${inner}</owner>` });
const ownerUuid = '<uuid>11111111-2222-4333-8444-555555555555</uuid>';
const numbers = ['0', '1', '007', ' 5', '+5', '-1', '1.5', 'abc', '', '4294967295', '99999999999999999999'];

const identities: [string, Parameters<typeof portDocument>[1]][] = [
  ...['zz', '5D2E0C3A7F6B4B579D6E0C8F6A1E2B01', ` ${portUuid} `, ''].map((text): [string, object] => [`uuid = ${text}`, { uuid: `<uuid>${text}</uuid>` }]),
  ['no uuid', { uuid: '' }],
  ['no owner', { owner: '' }],
  ['empty owner', ownerOf('')],
  ['owner without uuid', ownerOf('<name>guest</name>')],
  ['owner without name', ownerOf(ownerUuid)],
  ['owner with an empty name', ownerOf(`<name></name>${ownerUuid}`)],
  ['owner with a bad uuid', ownerOf('<name>guest</name><uuid>zz</uuid>')],
  ['owner with a name to escape', ownerOf(`<name>a&lt;b&amp;&quot;c</name>${ownerUuid}`)],
  ['two owners', { owner: `${owner}<owner/>` }],
  ['no mac', { mac: '' }],
  ['mac without address', { mac: '<mac/>' }],
  ...['zz', '', '01:00:5e:00:00:01', '2:54:0:A:b:1', '52-54-00-12-34-56', '52:54:00:12:34'].map((text): [string, object] =>
    [`mac = ${text}`, { mac: `<mac address='${text}'/>` }]),
];

const fragments = [
  '', '<group>gold</group>', '<group>none</group>', '<group></group>', '<group>a&lt;b</group>', '<junk/>',
  '<bandwidth/>', "<bandwidth classID='x'><inbound average='5'/></bandwidth>", "<bandwidth classID='7'><inbound average='5'/></bandwidth>",
  "<bandwidth classID='7'><inbound floor='5'/></bandwidth>",
  ...numbers.map((text) => `<bandwidth><inbound average='${text}'/></bandwidth>`),
  ...numbers.map((text) => `<bandwidth><inbound floor='${text}'/></bandwidth>`),
  ...['1', '500', '1999', '2000', '2001'].map((text) => `<bandwidth><inbound average='10' peak='20' floor='${text}'/></bandwidth>`),
  "<bandwidth><inbound peak='5'/></bandwidth>", "<bandwidth><inbound burst='5'/></bandwidth>", "<bandwidth><inbound floor='5' peak='6'/></bandwidth>",
  "<bandwidth><outbound floor='5'/></bandwidth>", "<bandwidth><outbound average='5' floor='5'/></bandwidth>", "<bandwidth><outbound average='5' peak='6' burst='7'/></bandwidth>",
  "<bandwidth><inbound average='1'/><inbound average='2'/></bandwidth>", "<bandwidth><inbound average='1'/><outbound average='2'/></bandwidth>",
  '<vlan/>', "<vlan><tag id='5'/></vlan>", "<vlan><tag id='4096'/></vlan>", "<vlan trunk='yes'><tag id='5' nativeMode='untagged'/><tag id='6'/></vlan>",
  "<vlan trunk='no'><tag id='5'/><tag id='6'/></vlan>",
  ...['yes', 'no', 'maybe', ''].flatMap((text) => [`<port isolated='${text}'/>`, `<rxfilters trustGuest='${text}'/>`]), '<port/>', '<rxfilters/>',
  '<virtualport/>', "<virtualport type='junk'/>", "<virtualport type='openvswitch'/>", "<virtualport type='openvswitch'><parameters profileid='p'/></virtualport>",
  "<virtualport><parameters profileid='p'/></virtualport>", "<virtualport type='openvswitch'><parameters managerid='1'/></virtualport>",
  "<virtualport type='802.1Qbh'/>", "<virtualport type='802.1Qbh'><parameters profileid='p'/></virtualport>",
  "<virtualport type='802.1Qbg'><parameters managerid='1'/></virtualport>",
  "<virtualport type='802.1Qbg'><parameters managerid='1' typeid='0x22' typeidversion='3'/></virtualport>",
  "<virtualport type='midonet'><parameters interfaceid='11111111-2222-4333-8444-555555555555'/></virtualport>",
  "<plug type='none'/>", "<plug type='junk'/>", "<plug/>",
];

const address = "<address domain='0x0000' bus='0x03' slot='0x10' function='0x1'/>";
const plugs = [
  ...["bridge='peer0'", "bridge='other0'", '', "bridge=''", "bridge='peer0' macTableManager='libvirt'", "bridge='peer0' macTableManager='kernel'", "bridge='peer0' macTableManager='default'", "bridge='peer0' junk='1'"]
    .flatMap((text) => [`<plug type='network' ${text}/>`, `<plug type='bridge' ${text}/>`]),
  ...['', "dev='e0'", "dev='e9'", "dev='e0' mode='bridge'", "dev='e0' mode='junk'", "dev='e1' mode='passthrough'", "dev=''"].map((text) => `<plug type='direct' ${text}/>`),
  "<plug type='hostdev-pci'/>", "<plug type='hostdev-pci' managed='yes'/>", `<plug type='hostdev-pci' managed='junk'>${address}</plug>`,
  `<plug type='hostdev-pci' managed='yes'>${address}</plug>`, `<plug type='hostdev-pci' managed='no'><driver name='vfio'/>${address}</plug>`,
  `<plug type='hostdev-pci' managed='yes'><driver name='junk'/>${address}</plug>`, `<plug type='hostdev-pci' managed='yes'><driver/>${address}</plug>`,
  "<plug type='hostdev-pci' managed='yes'><address bus='0x03' slot='0x40'/></plug>", "<plug type='hostdev-pci' managed='yes'><address/></plug>",
  "<plug type='hostdev-pci' managed='yes'><address bus='256'/></plug>", "<plug type='hostdev-pci' managed='yes'><address type='pci' bus='3' slot='1'/></plug>",
  "<plug type='none'/>", "<plug type=''/>", '<plug/>', '',
];

/** Every sample. */
export const portSamples: readonly PortSample[] = [
  ...identities.map(([label, parts]) => ({ label, xml: portDocument('', parts), reclaim: false })),
  ...fragments.map((inner) => ({ label: inner || 'nothing', xml: portDocument(inner), reclaim: false })),
  ...plugs.map((inner) => ({ label: `reclaim ${inner || 'nothing'}`, xml: portDocument(inner), reclaim: true })),
  ...plugs.slice(0, 1).map((inner) => ({ label: `no reclaim ${inner}`, xml: portDocument(inner), reclaim: false })),
  ...['<network/>', 'junk', '<networkport>', '<networkport/>'].map((xml) => ({ label: `document ${xml}`, xml, reclaim: false })),
];
