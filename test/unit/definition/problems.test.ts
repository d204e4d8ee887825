/** What a person is told of a wrong document. */
import { describe, expect, it } from 'vitest';
import { ErrorCode, NetworkError, type Problem } from '../../../shared/errors.js';
import { dhcpHost, parseNetwork, parsePart, validateNetwork } from '../../../shared/definition/index.js';

function errorOf(step: () => unknown): NetworkError {
  try {
    step();
  } catch (error) {
    if (error instanceof NetworkError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

function places(problems: readonly Problem[]): string[] {
  return problems.map(({ line, column, path, code }) => `${line}:${column} ${path} ${ErrorCode[code]}`);
}

describe('a wrong document', () => {
  const document = `<network>
  <name>n</name>
  <bridge delay='soon'/>
  <ip address='10.0.0.1' prefix='40'/>
  <ip address='192.168.1.1' prefix='24'>
    <dhcp>
      <range start='192.168.1.50' end='192.168.1.20'/>
      <host mac='junk' ip='192.168.1.5'/>
      <host ip='192.168.1.6'/>
    </dhcp>
  </ip>
  <uuid>nonsense</uuid>
</network>`;

  it('is answered with every problem, each with line, column, path and code', () => {
    const error = errorOf(() => parseNetwork(document));
    expect(places(error.problems)).toEqual([
      '3:11 network/bridge/@delay XML_ERROR',
      '4:26 network/ip[1]/@prefix CONFIG_UNSUPPORTED',
      '7:35 network/ip[2]/dhcp/range/@end INTERNAL_ERROR',
      '8:13 network/ip[2]/dhcp/host[1]/@mac XML_ERROR',
      '9:7 network/ip[2]/dhcp/host[2] XML_ERROR',
      '12:3 network/uuid INTERNAL_ERROR',
    ]);
  });

  it('has the code and the place of the problem libvirt stops at, and says how many more there are', () => {
    const error = errorOf(() => parseNetwork(document));
    expect(error.code).toBe(ErrorCode.INTERNAL_ERROR);
    expect(error.message).toBe("internal error: line 12, column 3: network/uuid: found 'nonsense'; allowed: 32 hexadecimal digits, dashes between (and 5 more problems)");
  });

  it('names what was found and what is allowed', () => {
    const { problems } = errorOf(() => parseNetwork(document));
    expect(problems[0]?.message).toBe("found 'soon'; allowed: a whole number from 0 to 9007199254740991");
    expect(problems[2]?.message).toContain('found 192.168.1.20, which comes before the start 192.168.1.50');
  });

  it('does not make one fault into two', () => {
    const { problems } = errorOf(() => parseNetwork("<network><name>n</name><forward mode='nat'/><ip address='junk'><dhcp><range start='10.0.0.1' end='10.0.0.2'/></dhcp></ip></network>"));
    expect(places(problems)).toEqual(['1:49 network/ip/@address XML_ERROR']);
  });

  it('counts columns in characters and lines however they end', () => {
    const { problems } = errorOf(() => parseNetwork("<network>\r\n<name>n</name>\r<title>\u{1f600}é</title><bridge delay='x'/></network>"));
    expect(places(problems)).toEqual(['3:26 network/bridge/@delay XML_ERROR']);
  });

  it('with more problems than anyone reads lists the first hundred and counts all', () => {
    const error = errorOf(() => parseNetwork(`<network><name>n</name>${'<ip/>'.repeat(500)}</network>`));
    expect(error.problems).toHaveLength(100);
    expect(error.message).toMatch(/\(and 499 more problems\)$/);
  });

  it.each([
    ['<network><name>n</name>', 1, 24, 'the document ends inside element <network>'],
    ['<network>\n<name>n</nam>\n</network>', 2, 8, 'element <name> is closed by </nam>'],
    ["<network a='1' a='2'/>", 1, 16, "attribute 'a' occurs twice in <network>"],
    ['<network><name>a & b</name></network>', 1, 18, "'&' begins no known reference; write &amp; for the character (entities other than lt, gt, amp, quot, apos do not exist here)"],
    ['<!DOCTYPE network><network/>', 1, 1, 'a DOCTYPE or other declaration is not allowed in a network document'],
    ['', 1, 1, 'the document has no element'],
    ["<?xml version='1.0' encoding='ISO-8859-1'?><network/>", 1, 1, "the document declares encoding 'ISO-8859-1'; only UTF-8 is read"],
  ])('that is no XML is answered with the place: %s', (xml, line, column, message) => {
    const error = errorOf(() => parseNetwork(xml));
    expect(error.code).toBe(ErrorCode.XML_DETAIL);
    expect(error.problems).toEqual([{ code: ErrorCode.XML_DETAIL, line, column, path: '', message }]);
    expect(error.message).toBe(`line ${line}, column ${column}: ${message}`);
  });

  it('with another root element is no network', () => {
    expect(errorOf(() => parseNetwork('<domain/>')).message).toBe('XML error: line 1, column 1: domain: expected element <network> at the root, found <domain>');
  });
});

describe('an answer for guests on the LAN', () => {
  const problems = (inner: string, proxy: string) => {
    try {
      parseNetwork(`<network xmlns:vnet='urn:vnet:network:1'><name>n</name>${inner}<vnet:proxy ${proxy}/></network>`);
    } catch (error) {
      return (error as NetworkError).problems.map(({ code, path, message }) => [code, path, message]);
    }
    return [];
  };
  const ipv4 = "<ip address='10.0.0.1' prefix='24'/>";

  it.each([
    ["<forward mode='route' dev='eth0'/>", "arp='yes'", []],
    ["<forward mode='route'/>", "arp='yes'", [[67, 'network/vnet:proxy', expect.stringContaining("forward mode 'route' without one")]]],
    ["<forward mode='nat' dev='eth0'/>", "arp='yes'", [[67, 'network/vnet:proxy', expect.stringContaining("not forward mode 'nat'")]]],
    ['', "arp='yes'", [[67, 'network/vnet:proxy', expect.stringContaining('not an isolated network')]]],
    ["<forward mode='route' dev='eth0'/>", "ndp='yes'", [[67, 'network/vnet:proxy/@ndp', expect.stringContaining('no IPv6 address')]]],
    ["<forward mode='route' dev='eth0'/>", "arp='maybe'", [[27, 'network/vnet:proxy/@arp', expect.stringContaining('yes')]]],
  ])('%s, %s', (forward, proxy, expected) => {
    expect(problems(forward + ipv4, proxy)).toEqual(expected);
  });
});

describe('what the format does not know', () => {
  const document = `<network colour='red'>
  <name>n</name><name>m</name>
  <nonsense><name>x</name></nonsense>
  <x:bridge xmlns:x='urn:x' name='b'/>
  stray
  <ip address='10.0.0.1' prefix='24' mtu='5'><dhcp><rnage start='10.0.0.2'/></dhcp></ip>
</network>`;

  it('is left out, with a warning for each', () => {
    const { definition, warnings } = parseNetwork(document);
    expect(definition).toEqual({ name: 'n', bridge: { stp: true, delay: 0 }, ips: [{ address: '10.0.0.1', prefix: 24 }], routes: [], portGroups: [], dnsmasqOptions: [] });
    expect(warnings).toEqual([
      "line 1, column 10: network: attribute 'colour' is not part of the format; it was left out",
      'line 2, column 17: network/name[2]: only the first element of this name counts; it was left out',
      'line 3, column 3: network/nonsense: element is not part of the format; it was left out',
      'line 4, column 3: network/x:bridge: element is not part of the format; it was left out',
      "line 1, column 1: network: text is not allowed here: 'stray'; it was left out",
      "line 6, column 38: network/ip: attribute 'mtu' is not part of the format; it was left out",
      'line 6, column 52: network/ip/dhcp/rnage: element is not part of the format; it was left out',
    ]);
  });

  it('is refused when strict, and that is the error, whatever else is wrong', () => {
    const error = errorOf(() => parseNetwork(document.replace("prefix='24'", "prefix='99'"), { strict: true }));
    expect(error.code).toBe(ErrorCode.XML_INVALID_SCHEMA);
    expect(error.problems).toHaveLength(8);
    expect(error.message).toMatch(/^XML document failed to validate against schema: line 1, column 10: network\/@colour: .*\(and 7 more problems\)$/);
  });
});

describe('the second stage', () => {
  const wrong: readonly [string, ErrorCode, string][] = [
    ["<forward mode='bridge'/><bridge name='b'/><ip address='10.0.0.1'/>", ErrorCode.CONFIG_UNSUPPORTED, 'network/ip'],
    ["<forward mode='bridge'/><mac address='52:54:00:00:00:01'/>", ErrorCode.CONFIG_UNSUPPORTED, 'network/mac'],
    ["<forward mode='vepa'/><domain name='d'/>", ErrorCode.CONFIG_UNSUPPORTED, 'network/domain'],
    ["<forward mode='vepa'/><dns><txt name='a' value='b'/></dns>", ErrorCode.CONFIG_UNSUPPORTED, 'network/dns'],
    ["<forward mode='vepa'/><bandwidth><inbound average='1'/></bandwidth>", ErrorCode.CONFIG_UNSUPPORTED, 'network/bandwidth'],
    ["<forward mode='vepa'/><portgroup name='g'><bandwidth><inbound average='1'/></bandwidth></portgroup>", ErrorCode.CONFIG_UNSUPPORTED, 'network/portgroup/bandwidth'],
    ["<forward mode='hostdev'><interface dev='e'/></forward>", ErrorCode.CONFIG_UNSUPPORTED, 'network/forward'],
    ["<forward mode='private'><address type='pci' bus='1'/></forward>", ErrorCode.CONFIG_UNSUPPORTED, 'network/forward/address'],
    ["<vlan><tag id='1'/></vlan>", ErrorCode.CONFIG_UNSUPPORTED, 'network/vlan'],
    ["<portgroup name='g'><vlan><tag id='1'/></vlan></portgroup>", ErrorCode.CONFIG_UNSUPPORTED, 'network/portgroup/vlan'],
    ["<forward mode='bridge'/><bridge name='b'/><vlan><tag id='1'/></vlan><virtualport type='802.1Qbh'/>", ErrorCode.CONFIG_UNSUPPORTED, 'network/vlan'],
    ["<portgroup name='a'/><portgroup name='a'/>", ErrorCode.CONFIG_UNSUPPORTED, 'network/portgroup[2]/@name'],
    ["<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/>", ErrorCode.CONFIG_UNSUPPORTED, 'network/portgroup[2]/@default'],
    ["<domain name='d' register='yes'/>", ErrorCode.CONFIG_UNSUPPORTED, 'network/domain/@register'],
    ["<ip address='10.0.0.1' prefix='24'><dhcp><host name='a' ip='10.0.0.2'/></dhcp></ip><ip address='10.0.1.1' prefix='24'><dhcp><host name='b' ip='10.0.1.2'/></dhcp></ip>", ErrorCode.CONFIG_UNSUPPORTED, 'network/ip[2]/dhcp'],
    ["<ip address='10.0.0.1' netmask='255.0.255.0'/>", ErrorCode.INTERNAL_ERROR, 'network/ip/@netmask'],
    ["<ip address='224.0.0.1'/>", ErrorCode.INTERNAL_ERROR, 'network/ip/@address'],
    ["<ip address='10.0.0.1' prefix='23' localPtr='yes'/>", ErrorCode.CONFIG_UNSUPPORTED, 'network/ip/@localPtr'],
    ["<ip family='ipv6' address='fd00::1' prefix='63' localPtr='yes'/>", ErrorCode.CONFIG_UNSUPPORTED, 'network/ip/@localPtr'],
  ];

  it.each(wrong)('refuses %s', (inner, code, path) => {
    const xml = `<network><name>n</name>${inner}</network>`;
    expect(errorOf(() => parseNetwork(xml)).problems.map((problem) => [problem.code, problem.path])).toEqual([[code, path]]);
    const saved = parseNetwork(xml, { validate: false }).definition;
    expect(validateNetwork(saved)).toMatchObject([{ code, path, line: 0, column: 0 }]);
  });

  it('finds in a definition without a document what no document could have said', () => {
    const { definition } = parseNetwork("<network><name>n</name><ip address='10.0.0.1' prefix='24'/></network>");
    definition.dnsmasqOptions = ['log-queries\nconf-file=/etc/shadow'];
    definition.bridge = { name: '../../x', stp: true, delay: 0 };
    expect(validateNetwork(definition).map(({ path }) => path)).toEqual(['network/bridge/@name', 'network/dnsmasq:options/dnsmasq:option/@value']);
  });
});

describe('a part of a network', () => {
  it('is read from a document of its own', () => {
    expect(parsePart("<host mac='52:54:00:00:00:01' ip='10.0.0.5'/>", dhcpHost)).toEqual({ mac: '52:54:00:00:00:01', ip: '10.0.0.5' });
  });

  it('is refused with its place, or for what it is not', () => {
    expect(places(errorOf(() => parsePart("<host name='-x' ip='junk'/>", dhcpHost)).problems)).toEqual(['1:7 host/@name XML_ERROR', '1:17 host/@ip XML_ERROR']);
    expect(errorOf(() => parsePart('<range/>', dhcpHost)).code).toBe(ErrorCode.XML_ERROR);
  });
});
