/** Checking documents without a daemon. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseNetwork } from '../../../shared/definition/index.js';
import { runVnet } from './run-vnet.js';

const documents = {
  good: "<network><name>lab</name><bridge name='lab0'/><ip address='10.0.0.1' prefix='24'/></network>",
  unknown: "<network>\n  <name>lab</name>\n  <bridg name='lab0'/>\n</network>",
  wrong: "<network>\n  <name>a/b</name>\n  <ip address='10.0.0.300' prefix='24'/>\n</network>",
  broken: '<network>\n  <name>lab</network>',
};
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vnet-validate-'));
  for (const [name, text] of Object.entries(documents)) await writeFile(join(folder, name), text);
});
afterAll(() => rm(folder, { recursive: true }));
const validate = (...words: string[]) => runVnet(['validate', ...words.map((word) => word in documents ? join(folder, word) : word)]);

describe('validate', () => {
  it('says that a document is valid, without a connection', async () => {
    expect(await validate('good')).toEqual({ code: 0, out: `${folder}/good is valid\n\n`, err: '', opened: [], closed: 0 });
    expect(await validate('good', '-q')).toMatchObject({ code: 0, out: '' });
  });

  it('gives every problem its place, in lines that editors can jump to', async () => {
    const { code, out, err } = await validate('wrong');
    expect({ code, out }).toEqual({ code: 2, out: '\n' });
    expect(err.trimEnd().split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^${folder}/wrong:2:\\d+: network/name: .*a/b`)),
      expect.stringMatching(new RegExp(`^${folder}/wrong:3:\\d+: network/ip/@address: .*10\\.0\\.0\\.300`)),
    ]);
    expect((await validate('broken')).err).toMatch(new RegExp(`^${folder}/broken:2:\\d+: .*\n$`));
  });

  it('warns of what the format does not know, and refuses it if asked to be strict', async () => {
    expect(await validate('unknown')).toMatchObject({ code: 0, out: `${folder}/unknown is valid\n\n`, err: expect.stringMatching(/^warning: .*\/unknown: .*network\/bridg: .*\n$/) });
    expect(await validate('unknown', '--strict')).toMatchObject({ code: 2, err: expect.stringMatching(/unknown:3:3: network\/bridg: .*\n$/) });
  });

  it('prints the canonical form', async () => {
    const { code, out } = await validate('good', '--print', '-q');
    expect(code).toBe(0);
    expect(out).toContain("  <bridge name='lab0' stp='on' delay='0'/>\n");
    expect(parseNetwork(out)).toEqual(parseNetwork(documents.good));
  });

  it('tells several files apart, and says that not all are wrong', async () => {
    const { code, out, err } = await validate('good', 'broken', '/nonexistent');
    expect({ code, out }).toEqual({ code: 7, out: `${folder}/good is valid\n\n` });
    expect(err).toContain("error: Failed to open file '/nonexistent': No such file or directory\n");
    expect((await validate('wrong', 'broken')).code).toBe(2);
  });

  it('reads standard input', async () => {
    expect(await runVnet(['validate', '-'], { stdin: documents.good })).toMatchObject({ code: 0, out: 'stdin is valid\n\n' });
  });

  it('as JSON gives records for what is valid and errors for what is not', async () => {
    const { code, out, err } = await validate('unknown', 'wrong', '-o', 'json');
    expect(code).toBe(7);
    expect(JSON.parse(out)).toEqual([{ file: `${folder}/unknown`, name: 'lab', warnings: [expect.stringContaining('network/bridg')] }]);
    const { error } = JSON.parse(err) as { error: { problems: unknown[]; field: string } };
    expect(error.field).toBe('network/name');
    expect(error.problems).toEqual([expect.objectContaining({ file: `${folder}/wrong`, line: 2 }), expect.objectContaining({ line: 3 })]);
  });
});
