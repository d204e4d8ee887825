/**
 * Our reading and printing of network documents against libvirt's own: its
 * test driver defines each document, and what it refuses or prints must be
 * what we do. The driver does no second stage (driver validation), so neither
 * do we here, but for the last test. Skipped where python3-libvirt is missing.
 */
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { formatNetwork, parseNetwork } from '../../shared/definition/index.js';
import { anyDefinition } from '../unit/definition/definitions.js';
import { samples, type Sample } from '../unit/definition/samples.js';

/** What became of a document. */
interface Outcome {
  xml?: string;
  code?: number;
  message?: string;
}

const python = '/usr/bin/python3';

const oracle = `
import json, libvirt, sys
libvirt.registerErrorHandler(lambda *_: None, None)
connection = libvirt.open('test:///default')
connection.networkLookupByName('default').destroy()
connection.networkLookupByName('default').undefine()
for line in sys.stdin:
    try:
        network = connection.networkDefineXML(json.loads(line))
        answer = {'xml': network.XMLDesc(0)}
        network.undefine()
    except libvirt.libvirtError as error:
        answer = {'code': error.get_error_code(), 'message': error.get_error_message()}
    print(json.dumps(answer))
`;

const available = spawnSync(python, ['-c', 'import libvirt']).status === 0;

/** What libvirt makes of documents, all in one process. */
function libvirt(documents: readonly string[]): Outcome[] {
  const { status, stdout, stderr } = spawnSync(python, ['-c', oracle], {
    input: documents.map((xml) => `${JSON.stringify(xml)}\n`).join(''), encoding: 'utf8', maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim().split('\n').map((line) => JSON.parse(line) as Outcome);
}

function vnet(xml: string, validate: boolean): Outcome {
  try {
    return { xml: formatNetwork(parseNetwork(xml, { validate }).definition) };
  } catch (error) {
    if (error instanceof NetworkError) return { code: error.code, message: error.message };
    throw error;
  }
}

/** Whether two outcomes are the same: the same document but for a UUID that libvirt made up, or the same error code. */
function same(theirs: Outcome, ours: Outcome): boolean {
  if (theirs.xml === undefined) return theirs.code === ours.code;
  return theirs.xml === ours.xml || (!(ours.xml ?? '').includes('<uuid>') && theirs.xml.replace(/ {2}<uuid>.*\n/, '') === ours.xml);
}

const oneVersionAhead = 'newer than libvirt 9.0.0';
const unsafeText = 'what ends up in file names, interface names or the lines of a configuration must not be able to end them';

/** What differs on purpose. `since` is why; `is` says which samples. */
const knownDifferences: readonly { since: string; is: RegExp; how?: (theirs: Outcome, ours: Outcome) => boolean }[] = [
  { since: `${oneVersionAhead}: title and description are kept`, is: /^(title|description) = /, how: (theirs) => theirs.xml !== undefined },
  { since: `${oneVersionAhead}: metadata without elements is dropped`, is: /^metadata/, how: (theirs) => theirs.xml?.includes('<metadata/>') === true },
  { since: `${oneVersionAhead}: mode open needs no address`, is: /^forward\/@mode = open$/ },
  { since: `${oneVersionAhead}: driver names and their error`, is: /^forward\/driver = name='(xen|junk)'$/ },
  { since: `${oneVersionAhead}: domain/@register`, is: /^domain\/@register/ },
  { since: `${oneVersionAhead}: bootp without file is an error`, is: /^bootp = /, how: (theirs, ours) => theirs.xml !== undefined && ours.code === ErrorCode.XML_ERROR },
  { since: `${oneVersionAhead}: error for a bad bandwidth number`, is: /^inbound\//, how: (theirs, ours) => theirs.code === ErrorCode.CONFIG_UNSUPPORTED && ours.code === ErrorCode.XML_ERROR },
  { since: `${oneVersionAhead}: bandwidth that tc cannot count`, is: /^inbound\/@burst = 4194304$/ },
  { since: unsafeText, is: /^(name|bridge\/@name|domain\/@name|forwarder\/@domain|txt\/@\w+|srv\/@\w+|hostname|host\/@name|portgroup\/@name) = /,
    how: (theirs, ours) => theirs.xml !== undefined && ours.code !== undefined },
  { since: 'libvirt forgets to escape this name and prints broken XML', is: /^portgroup\/@name = &lt;/ },
  { since: 'a domain without a name is none, whether the attribute is missing or empty', is: /^domain\/@name = $/ },
  { since: 'an address with a zone means something on one machine alone', is: /fe80::1%lo$/ },
  { since: 'PCI has functions 0 to 7; later libvirt refuses it too', is: /^forward address = type='pci' function='8'$/ },
  { since: 'libvirt wraps a negative MTU round to four thousand million', is: /^mtu\/@size = -1$/ },
  { since: 'a bandwidth that limits nothing is not printed; libvirt drops it when it reads its own output', is: /average(=')?( = )?'?0/ },
  { since: 'parameters that say nothing are not printed; libvirt drops them when it reads its own output', is: /^virtualport = type='midonet'><parameters profileid='p'/ },
];

describe.skipIf(!available)("libvirt's test driver (python3-libvirt)", () => {
  const different: { sample: Sample; theirs: Outcome; ours: Outcome }[] = [];

  beforeAll(() => {
    const outcomes = libvirt(samples.map(({ xml }) => xml));
    samples.forEach((sample, i) => {
      const theirs = outcomes[i] ?? {};
      const ours = vnet(sample.xml, false);
      if (!same(theirs, ours)) different.push({ sample, theirs, ours });
    });
  });

  const explains = ({ is, how }: (typeof knownDifferences)[number], { sample, theirs, ours }: (typeof different)[number]) =>
    is.test(sample.label) && how?.(theirs, ours) !== false;

  it('refuses and prints each document as we do, but for the known differences', () => {
    expect(samples.length).toBeGreaterThan(2000);
    expect(different.filter((one) => !knownDifferences.some((known) => explains(known, one)))).toEqual([]);
  });

  it('differs in every known difference', () => {
    expect(knownDifferences.filter((known) => !different.some((one) => explains(known, one)))).toEqual([]);
  });

  it('prints what we print for networks with everything in them', () => {
    const definitions = fc.sample(anyDefinition, { numRuns: 400, seed: 20 }).map((definition) => {
      const { title: _, description: __, ...known } = structuredClone(definition);
      if (known.domain !== undefined) delete known.domain.register;
      delete known.proxy;
      // It escapes no names of port groups, domains, and DHCP hosts, and has no dnsmasq namespace.
      return { ...known, dnsmasqOptions: [] };
    }).filter(({ forward, ips }) => forward?.mode !== 'open' || ips.length > 0);
    const documents = definitions.map((definition) => formatNetwork(definition));
    const outcomes = libvirt(documents);
    expect(outcomes.map(({ xml, message }) => xml ?? message)).toEqual(documents);
  });

  it('passes over what is vnet\'s own', () => {
    const xml = (proxy: string) => `<network xmlns:vnet='urn:vnet:network:1'><name>n</name><uuid>3a7b1f0e-95d2-4c63-8b1e-0f6a2d9c4b57</uuid>
      <forward mode='route' dev='eth0'/><bridge name='br0'/><mac address='52:54:00:00:00:01'/><ip address='10.1.2.1' prefix='24'/>${proxy}</network>`;
    const [withProxy, without] = libvirt([xml("<vnet:proxy arp='yes'/>"), xml('')]);
    expect(withProxy).toEqual(without);
    expect(withProxy?.xml).toContain("<forward dev='eth0' mode='route'>");
    expect(vnet(xml("<vnet:proxy arp='yes'/>"), false).xml).toContain("<vnet:proxy arp='yes'/>");
  });

  it('lets pass, for want of its second stage, what only our driver rules refuse', () => {
    const outcomes = libvirt(samples.map(({ xml }) => xml));
    const secondStage = samples.filter(({ xml }, i) => outcomes[i]?.xml !== undefined && vnet(xml, false).xml !== undefined && vnet(xml, true).xml === undefined);
    const codes = new Set(secondStage.map(({ xml }) => vnet(xml, true).code));
    expect([...codes].sort()).toEqual([ErrorCode.INTERNAL_ERROR, ErrorCode.CONFIG_UNSUPPORTED]);
    expect(secondStage.length).toBeGreaterThan(40);
  });
});
