/**
 * Lives here: updates of one part of a network, each command and section with
 * parts that fit, clash, are missing or broken. Does not know: what comes of
 * them.
 */

const head = (name: string) => `<name>${name}</name><uuid>4b6bd1a5-3c5e-4f0e-9f10-0000000000aa</uuid>`;

/** The networks that are updated. */
export const updated = {
  full: `<network>${head('full')}<forward mode='nat'/><bridge name='u0'/><mac address='52:54:00:00:00:01'/><domain name='d.test'/>
    <dns><txt name='t1' value='v'/><txt name='t2' value='w'/><srv service='s' protocol='tcp' domain='d' target='x' port='1'/><srv service='s' protocol='udp'/>
      <host ip='10.1.0.9'><hostname>a</hostname><hostname>b</hostname></host><host ip='10.1.0.7'><hostname>b</hostname></host></dns>
    <ip address='10.1.0.1' prefix='24'><dhcp><range start='10.1.0.10' end='10.1.0.20'/><host mac='52:54:00:00:00:0A' name='h1' ip='10.1.0.50'/>
      <host mac='52:54:00:00:00:0c' ip='10.1.0.52'/><bootp file='boot.img'/></dhcp></ip>
    <ip family='ipv6' address='fd00::1' prefix='64'/><ip address='10.2.0.1' prefix='24'/>
    <route address='172.16.0.0' prefix='12' gateway='10.2.0.9'/>
    <portgroup name='p' default='yes'/><portgroup name='o'/></network>`,
  bare: `<network>${head('bare')}<forward mode='nat'/><bridge name='u0'/><mac address='52:54:00:00:00:01'/><ip address='10.1.0.1' prefix='24'/></network>`,
  isolated: `<network>${head('isolated')}<bridge name='u0'/><mac address='52:54:00:00:00:01'/></network>`,
  silent: `<network>${head('silent')}<bridge name='u0'/><mac address='52:54:00:00:00:01'/><dns enable='no'/><ip family='ipv6' address='fd00::1' prefix='64'/></network>`,
  direct: `<network>${head('direct')}<forward mode='private'><interface dev='eth0'/><interface dev='eth1'/></forward></network>`,
  routed: `<network>${head('routed')}<forward mode='route' dev='eth0'/><bridge name='u0'/><mac address='52:54:00:00:00:01'/><ip address='10.1.0.1' prefix='24'/></network>`,
  open: `<network>${head('open')}<forward mode='open'/><bridge name='u0'/><mac address='52:54:00:00:00:01'/><ip address='10.1.0.1' prefix='24'/></network>`,
} as const;

/** One update. */
export interface UpdateSample {
  to: keyof typeof updated;
  /** By its number: 0 none, 1 modify, 2 delete, 3 add-last, 4 add-first. */
  command: number;
  /** By its number. */
  section: number;
  index?: number;
  xml: string;
}

/** For each section the parts it is tried with; every one with every command. */
const parts: Record<number, string[]> = {
  1: ["<bridge name='x'/>", '<x', '<x/>'],
  2: ["<domain name='d.test'/>", "<domain name='other.test' localOnly='yes'/>"],
  3: ["<ip address='10.3.0.1' prefix='24'/>", "<ip address='10.2.0.1' prefix='24'/>"],
  4: [
    "<host mac='52:54:00:00:00:0b' ip='10.1.0.51'/>", "<host mac='52:54:00:00:00:0a' ip='10.1.0.51'/>", "<host mac='52:54:00:00:00:0a'/>", "<host name='h1'/>",
    "<host ip='10.1.0.52'/>", "<host name='h1' ip='10.1.0.55'/>", "<host mac='52:54:00:00:00:0b' name='h1' ip='10.1.0.52'/>", '<host/>', '<hos/>', '<host', '',
    "<host mac='52:54:00:00:00:0b' ip='fd00::7'/>", "<host name='x'/>", "<host mac='zz' ip='10.1.0.51'/>", "<host mac='01:54:00:00:00:0b' ip='10.1.0.51'/>",
    "<host name='-x' ip='10.1.0.51'/>", "<host id='0:1' ip='10.1.0.51'/>", "<host mac='52:54:00:00:00:0b' ip='10.9.9.9'/>",
    "<host mac='52:54:00:00:00:0b' ip='10.1.0.51'><lease expiry='1' unit='hours'/></host>", "<host mac='52:54:00:00:00:0b' ip='10.1.0.51'><lease expiry='1'/></host>",
  ],
  5: [
    "<range start='10.1.0.30' end='10.1.0.40'/>", "<range start='10.1.0.10' end='10.1.0.20'/>", "<range start='10.1.0.10' end='10.1.0.21'/>", "<range start='10.1.0.40' end='10.1.0.30'/>",
    "<range start='10.9.0.30' end='10.9.0.40'/>", "<range start='fd00::30' end='fd00::40'/>", "<range start='x' end='10.1.0.40'/>", '<range/>', '<rang/>',
    "<range start='10.1.0.0' end='10.1.0.40'/>", "<range start='10.1.0.30' end='10.1.0.255'/>", "<range start='10.1.0.30' end='10.1.0.40'><lease expiry='3' unit='hours'/></range>",
  ],
  6: ["<forward mode='nat'/>"],
  7: ["<interface dev='eth0'/>", "<interface dev='eth1'/>", "<interface dev='eth9'/>", '<interface/>', "<interface dev=''/>", '<interfac/>'],
  8: ["<pf dev='eth0'/>"],
  9: [
    "<portgroup name='q'/>", "<portgroup name='q' default='yes'/>", "<portgroup name='p'/>", "<portgroup name='p' default='yes'><bandwidth><inbound average='100'/></bandwidth></portgroup>",
    "<portgroup name='o' default='yes'/>", '<portgroup/>', '<portgrou/>', "<portgroup name='p'><bandwidth><inbound/></bandwidth></portgroup>",
  ],
  10: [
    "<host ip='10.1.0.8'><hostname>a</hostname></host>", "<host ip='10.1.0.9'><hostname>z</hostname></host>", '<host><hostname>b</hostname></host>', '<host><hostname>a</hostname></host>',
    "<host ip='10.1.0.77'><hostname>a</hostname></host>", '<host/>', "<host ip='10.1.0.8'/>", "<host ip='10.1.0.9'/>", "<host ip='bad'><hostname>z</hostname></host>", "<host ip='10.1.0.8'><hostname/></host>",
  ],
  11: ["<txt name='t3' value='x'/>", "<txt name='t1' value='x'/>", "<txt name='t3'/>", "<txt name='t1'/>", '<txt/>', "<txt name='a b' value='x'/>", "<txt name='t3' value=''/>", '<tx/>'],
  12: [
    "<srv service='s2' protocol='tcp'/>", "<srv service='s' protocol='tcp'/>", "<srv service='s'/>", "<srv protocol='udp'/>", '<srv/>', "<srv port='3'/>", "<srv service='nope'/>",
    "<srv service='s' protocol='tcp' domain='d' target='x' port='99'/>", "<srv service='s' protocol='sctp' domain='d' target='y' port='70000'/>", "<srv service='s' protocol='udp' domain='e' target='y'/>", '<sr/>',
  ],
};

const everything: UpdateSample[] = Object.entries(parts).flatMap(([section, documents]) => documents.flatMap((xml) =>
  ([1, 2, 3, 4] as const).map((command): UpdateSample => ({ to: 'full', command, section: Number(section), xml }))));

const host = "<host mac='52:54:00:00:00:0b' ip='10.1.0.51'/>";

/** Every update that is tried. */
export const updateSamples: UpdateSample[] = [
  ...everything,
  ...[0, 9].flatMap((command) => [4, 5, 7, 9, 10, 11, 12].map((section): UpdateSample => ({ to: 'full', command, section, xml: parts[section]![0]! }))),
  ...[0, 13, 99].map((section): UpdateSample => ({ to: 'full', command: 3, section, xml: '<x/>' })),
  ...[0, 1, 2, 3, 9].map((index): UpdateSample => ({ to: 'full', command: 3, section: 4, index, xml: host })),
  { to: 'full', command: 3, section: 4, index: 1, xml: "<host id='0:1' ip='fd00::5'/>" },
  { to: 'full', command: 3, section: 4, index: 1, xml: "<host mac='52:54:00:00:00:0b' name='n' ip='fd00::5'/>" },
  { to: 'full', command: 3, section: 4, index: 1, xml: "<host ip='fd00::5'/>" },
  { to: 'full', command: 3, section: 4, index: 2, xml: "<host mac='52:54:00:00:00:0b' ip='10.2.0.5'/>" },
  { to: 'full', command: 3, section: 5, index: 1, xml: "<range start='fd00::30' end='fd00::40'/>" },
  { to: 'full', command: 3, section: 5, index: 2, xml: "<range start='10.2.0.30' end='10.2.0.40'/>" },
  ...(['bare', 'isolated', 'silent', 'direct', 'routed', 'open'] as const).flatMap((to) => [2, 3].flatMap((command) =>
    [4, 5, 7, 9, 10, 11, 12].map((section): UpdateSample => ({ to, command, section, xml: parts[section]![0]! })))),
  ...[2, 3, 4].map((command): UpdateSample => ({ to: 'routed', command, section: 7, xml: "<interface dev='eth1'/>" })),
  { to: 'silent', command: 3, section: 4, xml: "<host id='0:1' ip='fd00::5'/>" },
  { to: 'silent', command: 4, section: 5, xml: "<range start='fd00::30' end='fd00::40'/>" },
];
