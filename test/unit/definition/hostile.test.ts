/**
 * Documents that mean harm: text that would become a line of another program's
 * file, names that JavaScript knows, sizes nobody needs, and random noise.
 * VNET_TEST_DOCUMENTS sets how much noise.
 */
import { describe, expect, it } from 'vitest';
import { NetworkError } from '../../../shared/errors.js';
import { formatNetwork, parseNetwork, xmlLimits } from '../../../shared/definition/index.js';
import { escapeXml } from '../../../shared/definition/xml/write.js';
import { madeUp, mutate, randomNumbers } from './mutations.js';
import { samples } from './samples.js';

const documents = Number(process.env['VNET_TEST_DOCUMENTS'] ?? 100_000);

/** Every place where a document's text is kept as text, and what around it makes a document. */
const textFields: Readonly<Record<string, (text: string) => string>> = {
  name: (text) => `<network><name>${text}</name></network>`,
  title: (text) => network(`<title>${text}</title>`),
  'bridge/@name': (text) => network(`<bridge name='${text}'/>`),
  'bridge/@zone': (text) => network(`<bridge zone='${text}'/>`),
  'forward/@dev': (text) => network(`<forward dev='${text}'/><ip address='10.0.0.1'/>`),
  'interface/@dev': (text) => network(`<forward mode='private'><interface dev='${text}'/></forward>`),
  'pf/@dev': (text) => network(`<forward mode='private'><pf dev='${text}'/></forward>`),
  'driver/@model': (text) => network(`<forward mode='hostdev'><driver name='vfio' model='${text}'/></forward>`),
  'domain/@name': (text) => network(`<domain name='${text}'/>`),
  'forwarder/@domain': (text) => network(`<dns><forwarder domain='${text}'/></dns>`),
  'txt/@name': (text) => network(`<dns><txt name='${text}' value='v'/></dns>`),
  'txt/@value': (text) => network(`<dns><txt name='n' value='${text}'/></dns>`),
  'srv/@service': (text) => network(`<dns><srv service='${text}' protocol='tcp'/></dns>`),
  'srv/@protocol': (text) => network(`<dns><srv service='s' protocol='${text}'/></dns>`),
  'srv/@domain': (text) => network(`<dns><srv service='s' protocol='tcp' domain='${text}'/></dns>`),
  'srv/@target': (text) => network(`<dns><srv service='s' protocol='tcp' target='${text}'/></dns>`),
  hostname: (text) => network(`<dns><host ip='10.0.0.1'><hostname>${text}</hostname></host></dns>`),
  'tftp/@root': (text) => network(`<ip address='10.0.0.1'><tftp root='${text}'/></ip>`),
  'bootp/@file': (text) => network(`<ip address='10.0.0.1'><dhcp><host name='a' ip='10.0.0.2'/><bootp file='${text}'/></dhcp></ip>`),
  'host/@name': (text) => network(`<ip address='10.0.0.1'><dhcp><host name='${text}' ip='10.0.0.2'/></dhcp></ip>`),
  'host/@mac': (text) => network(`<ip address='10.0.0.1'><dhcp><host mac='${text}' ip='10.0.0.2'/></dhcp></ip>`),
  'host/@id': (text) => network(`<ip family='ipv6' address='fd00::1'><dhcp><host id='${text}' name='a' ip='fd00::2'/></dhcp></ip>`),
  'portgroup/@name': (text) => network(`<portgroup name='${text}'/>`),
  'parameters/@profileid': (text) => network(`<virtualport type='802.1Qbh'><parameters profileid='${text}'/></virtualport>`),
  'dnsmasq:option/@value': (text) => `<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>n</name><dnsmasq:options><dnsmasq:option value='${text}'/></dnsmasq:options></network>`,
};

/** Those whose text is one field of a line, or a name: nothing that ends a field may stand in them. */
const fields = ['bridge/@name', 'forward/@dev', 'interface/@dev', 'pf/@dev', 'domain/@name', 'forwarder/@domain', 'txt/@name', 'srv/@service', 'srv/@protocol', 'srv/@domain', 'srv/@target', 'hostname', 'host/@name', 'host/@mac', 'host/@id'];

function network(inner: string): string {
  return `<network><name>n</name>${inner}</network>`;
}

function isAccepted(xml: string): boolean {
  try {
    parseNetwork(xml);
    return true;
  } catch (error) {
    if (error instanceof NetworkError) return false;
    throw error;
  }
}

/** What the language's own objects have, all of it. */
const builtIns = () => [Object.prototype, Array.prototype, Function.prototype, String.prototype, Map.prototype].map((each) => Reflect.ownKeys(each).map(String));
const untouched = builtIns();

describe('text in a document', () => {
  it.each(Object.keys(textFields))('T1: %s never holds a character that could end a line', (field) => {
    const document = textFields[field]!;
    for (const character of ['\n', '\r', '\t', '\u007f', '\u0085', '\u2028', '\u2029']) {
      expect(isAccepted(document(`a&#${character.charCodeAt(0)};b`)), `U+${character.charCodeAt(0).toString(16)} written as a reference`).toBe(false);
    }
    expect(isAccepted(document('a\u0000b'))).toBe(false);
    expect(isAccepted(document('a&#0;b'))).toBe(false);
  });

  it.each(fields)('T1: %s never holds a character that could end a field', (field) => {
    for (const text of ['a,b', 'a b', 'a#b', 'a"b', 'a\\b', 'a;b', 'a%nb', 'a(b', "a&apos;b", 'a|b', 'a$b', 'a`b', 'a=b,c']) {
      expect(isAccepted(textFields[field]!(text)), text).toBe(false);
    }
  });

  it('T2, T3: names no file outside its folder and no interface the kernel would not take', () => {
    for (const name of ['.', '..', '../x', '/etc/passwd', 'a/b', 'x'.repeat(201)]) expect(isAccepted(textFields['name']!(name)), name).toBe(false);
    for (const name of ['.', '..', 'a/b', 'a:b', 'x'.repeat(16), 'é'.repeat(8), '%d%d', 'virbr%s', 'abcdefghijklm%d', '-', '-x', 'br+', 'a,b', 'é']) expect(isAccepted(textFields['bridge/@name']!(name)), name).toBe(false);
    for (const name of ['virbr%d', 'abcdefghijkl%d', 'x'.repeat(15), 'br.100', '_-']) expect(isAccepted(textFields['bridge/@name']!(name)), name).toBe(true);
  });

  it('T1: is kept to the letter where it may be anything', () => {
    const text = `x & y <z> "q" 'r' é \u{1f600} \\ # , ; $(id)`;
    const { definition } = parseNetwork(network(`<title>${escapeXml(text)}</title><dns><txt name='n' value='${escapeXml(text)}'/></dns>`));
    expect([definition.title, definition.dns?.txts[0]?.value]).toEqual([text, text]);
    expect(parseNetwork(formatNetwork(definition)).definition).toEqual(definition);
  });
});

describe('names that JavaScript knows', () => {
  const names = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__'];

  it.each(names)('T9: %s is a name like any other', (name) => {
    const xml = `<network ${name}='x'><name>n</name><${name} ${name}='y'><name>z</name></${name}><metadata><${name} xmlns='urn:x' ${name}='v'><${name}/>text</${name}></metadata></network>`;
    const { definition, warnings } = parseNetwork(xml);
    expect(warnings).toHaveLength(2);
    expect(definition.metadata).toEqual([{ name, attributes: [{ name: 'xmlns', value: 'urn:x' }, { name, value: 'v' }], children: [{ name, attributes: [], children: [] }, 'text'] }]);
    expect(parseNetwork(formatNetwork(definition)).definition).toEqual(definition);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    expect(builtIns()).toEqual(untouched);
    expect(Object.getPrototypeOf(definition)).toBe(Object.prototype);
  });
});

describe('limits', () => {
  it.each([
    ['size', network(`<description>${'x'.repeat(xmlLimits.size)}</description>`), `the document is larger than ${xmlLimits.size} bytes`],
    ['size in bytes', network(`<description>${'€'.repeat(xmlLimits.size / 3)}</description>`), `the document is larger than ${xmlLimits.size} bytes`],
    ['depth', `${'<network>'.repeat(xmlLimits.depth + 1)}${'</network>'.repeat(xmlLimits.depth + 1)}`, `elements are nested more than ${xmlLimits.depth} deep`],
    ['attributes', `<network ${Array.from({ length: xmlLimits.attributes + 1 }, (_, i) => `a${i}='1'`).join(' ')}/>`, `element <network> has more than ${xmlLimits.attributes} attributes`],
    ['elements', network('<ip/>'.repeat(xmlLimits.elements)), `the document has more than ${xmlLimits.elements} elements`],
  ])('T7: of %s are told', (_, xml, message) => {
    expect(() => parseNetwork(xml)).toThrow(message);
  });

  it('leave room for what people have', () => {
    const hosts = Array.from({ length: 9000 }, (_, i) => `<host mac='52:54:00:00:${(i >> 8).toString(16)}:${(i & 255).toString(16)}' ip='10.0.${i >> 8}.${i & 255}'/>`).join('');
    expect(parseNetwork(network(`<ip address='10.0.0.1'><dhcp>${hosts}</dhcp></ip>`)).definition.ips[0]?.dhcp?.hosts).toHaveLength(9000);
    expect(isAccepted(`${'<network><name>n</name><metadata>'}${"<x xmlns='u'>".repeat(xmlLimits.depth - 2)}${'</x>'.repeat(xmlLimits.depth - 2)}</metadata></network>`)).toBe(true);
  });
});

describe('noise', () => {
  it(`T7, T9: of ${documents} documents is refused or read, never slow, never anything else`, { timeout: 1_200_000 }, () => {
    const random = randomNumbers(3);
    let accepted = 0;
    let slowestMs = 0;
    for (let i = 0; i < documents; i++) {
      const kind = i % 3;
      const xml = kind === 0 ? madeUp(random) : mutate(samples[random(samples.length)]?.xml ?? '', random);
      const startedAt = performance.now();
      accepted += isAccepted(xml) ? 1 : 0;
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
    }
    expect(accepted).toBeGreaterThan(documents / 100);
    expect(slowestMs).toBeLessThan(500);
    expect(builtIns()).toEqual(untouched);
  });

  it.each<[string, (n: number) => string]>([
    ['elements', (n) => network("<ip address='10.0.0.1' prefix='8'/>".repeat(n))],
    ['unknown elements', (n) => network("<odd colour='red'/>".repeat(n))],
    ['wrong elements', (n) => network("<ip address='junk'/>".repeat(n))],
    ['hosts', (n) => network(`<ip address='10.0.0.1' prefix='8'><dhcp>${"<host name='a' ip='10.0.0.9'/>".repeat(n)}</dhcp></ip>`)],
    ['port groups of one name', (n) => network("<portgroup name='a'/>".repeat(n))],
    ['devices', (n) => network(`<forward mode='vepa'>${Array.from({ length: n }, (_, i) => `<interface dev='e${i}'/>`).join('')}</forward>`)],
    ['text', (n) => network(`<description>${'&lt;x'.repeat(n * 4)}</description>`)],
    ['comments', (n) => network('<!-- a comment -->'.repeat(n))],
    ['one long attribute', (n) => network(`<bridge zone='${'x '.repeat(n * 8)}'/>`)],
    ['foreign elements', (n) => network(`<metadata><m xmlns='urn:m'>${'<x>y</x>'.repeat(n)}</m></metadata>`)],
    ['unclosed quotes', (n) => network("<a b='".repeat(n))],
    ['ampersands', (n) => network(`<title>${'&'.repeat(n)}`)],
  ])('T7: in bulk costs as much as there is of it: %s', (_, make) => {
    // Small enough that the large one, too, lives and dies in the collector's nursery.
    const [small, large] = [make(500), make(8000)];
    // The processor's time: how much of it others take at the moment does not matter.
    const cost = (xml: string) => Math.min(...Array.from({ length: 8 }, () => {
      const before = process.cpuUsage();
      isAccepted(xml);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    }));
    cost(small);
    // 16 times as much; quadratic cost would be 256 times.
    expect(cost(large)).toBeLessThan(64 * Math.max(cost(small), 0.5));
  });
});
