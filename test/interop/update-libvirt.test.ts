/**
 * Our updates of definitions against libvirt's own: its test driver does each
 * one to the same network, and its answer, and the document afterwards, must be
 * ours. Skipped where python3-libvirt is missing.
 */
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { applyUpdate, formatNetwork, parseNetwork, updateCommands, updateSections } from '../../shared/definition/index.js';
import { updateSamples, updated, type UpdateSample } from '../unit/definition/update-samples.js';

/** What became of an update. */
interface Outcome {
  xml?: string;
  code?: number;
  message?: string;
}

const oracle = `
import json, libvirt, sys
libvirt.registerErrorHandler(lambda *_: None, None)
connection = libvirt.open('test:///default')
connection.networkLookupByName('default').destroy()
connection.networkLookupByName('default').undefine()
for line in sys.stdin:
    before, command, section, index, xml = json.loads(line)
    network = connection.networkDefineXML(before)
    try:
        network.update(command, section, index, xml, 2)
        answer = {'xml': network.XMLDesc(0)}
    except libvirt.libvirtError as error:
        answer = {'code': error.get_error_code(), 'message': error.get_error_message()}
    network.undefine()
    print(json.dumps(answer))
`;

const python = '/usr/bin/python3';
const available = spawnSync(python, ['-c', 'import libvirt']).status === 0;

function libvirt(samples: readonly UpdateSample[]): Outcome[] {
  const { status, stdout, stderr } = spawnSync(python, ['-c', oracle], {
    input: samples.map(({ to, command, section, index = -1, xml }) => `${JSON.stringify([updated[to], command, section, index, xml])}\n`).join(''), encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim().split('\n').map((line) => JSON.parse(line) as Outcome);
}

function vnet({ to, command, section, index, xml }: UpdateSample): Outcome {
  const { definition } = parseNetwork(updated[to], { validate: false });
  try {
    return { xml: formatNetwork(applyUpdate(definition, { command: updateCommands[command], section: updateSections[section], parentIndex: index, xml })) };
  } catch (error) {
    if (error instanceof NetworkError) return { code: error.code, message: error.message };
    throw error;
  }
}

const word = (sample: UpdateSample) =>
  `${sample.to}: ${updateCommands[sample.command] ?? sample.command} ${updateSections[sample.section] ?? sample.section} ${sample.xml}`;

/** Where we differ on purpose, each with its reason. */
const knownDifferences: { since: string; is: RegExp; how: (theirs: Outcome, ours: Outcome) => boolean }[] = [
  { since: 'libvirt refuses the section; we change it', is: /: \S+ (domain|ip) /, how: (theirs) => theirs.code === ErrorCode.OPERATION_UNSUPPORTED },
  { since: 'later libvirt modifies DNS hosts and TXT records', is: /: modify dns-(host|txt) /, how: (theirs) => theirs.code === ErrorCode.OPERATION_UNSUPPORTED },
  { since: 'libvirt accepts a device for a network without <forward>, and loses it', is: /^(isolated|silent): add-\w+ forward-interface /, how: (theirs, ours) => theirs.xml !== undefined && ours.code === ErrorCode.OPERATION_INVALID },
  { since: 'a device without a name is none', is: /<interface dev=''\/>/, how: (_, ours) => ours.code === ErrorCode.XML_ERROR },
  { since: 'a name that is empty is refused before it is looked for', is: /: delete dns-host .*<hostname\/>/, how: (_, ours) => ours.code === ErrorCode.XML_DETAIL },
];

describe.skipIf(!available)("libvirt's test driver (python3-libvirt)", () => {
  let different: { sample: UpdateSample; theirs: Outcome; ours: Outcome }[];

  beforeAll(() => {
    const outcomes = libvirt(updateSamples);
    different = updateSamples.map((sample, i) => ({ sample, theirs: outcomes[i]!, ours: vnet(sample) }))
      .filter(({ theirs, ours }) => theirs.code !== ours.code || theirs.xml !== ours.xml);
  });

  const explains = ({ is, how }: (typeof knownDifferences)[number], { sample, theirs, ours }: (typeof different)[number]) =>
    is.test(word(sample)) && how(theirs, ours);

  it('answers each update as we do, and leaves the same document, but for the known differences', () => {
    expect(updateSamples.length).toBeGreaterThan(100);
    expect(different.filter((one) => !knownDifferences.some((known) => explains(known, one))).map(({ sample, theirs, ours }) => ({ sample: word(sample), theirs: theirs.message ?? theirs.xml, ours: ours.message ?? ours.xml }))).toEqual([]);
  });

  it('differs in every known difference', () => {
    expect(knownDifferences.filter((known) => !different.some((one) => explains(known, one)))).toEqual([]);
  });
});
