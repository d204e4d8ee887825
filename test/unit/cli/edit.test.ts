/** Editing a definition: with an editor, from a script, and against others. */
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { documentOf, fakeDriver, fakeNetwork, type FakeDriver } from './fake-driver.js';
import { runVnet, type Scene } from './run-vnet.js';

let driver: FakeDriver;
let folder: string;
let editor: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vnet-edit-test-'));
  editor = join(folder, 'editor');
  // Where what is kept goes away with the rest.
  process.env['TMPDIR'] = folder;
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(() => {
  driver = fakeDriver(fakeNetwork('lab'), fakeNetwork('live', { active: true }));
});

/** An editor that keeps the name of its file, then does this to it. */
async function writeEditor(...lines: string[]): Promise<void> {
  await writeFile(editor, ['#!/bin/sh', 'for file; do :; done', `echo "$file" >> ${folder}/edited`, `stat -c %a "$file" "$(dirname "$file")" > ${folder}/modes`, ...lines, ''].join('\n'));
  await chmod(editor, 0o755);
  await rm(join(folder, 'edited'), { force: true });
}
const editedFiles = async () => (await readFile(join(folder, 'edited'), 'utf8')).trim().split('\n');
const edit = (network: string, scene: Scene = {}) => runVnet(['edit', network], { driver, terminal: 80, env: { EDITOR: editor }, ...scene });
const xmlOf = (name: string) => driver.networks.get(name)!.xml;

describe('with an editor', () => {
  it('defines what was written, and leaves no file behind', async () => {
    await writeEditor('sed -i "s,</network>,<domain/></network>," "$file"');
    expect(await edit('lab')).toMatchObject({ code: 0, out: 'Network lab XML configuration edited.\n\n', err: '' });
    expect(xmlOf('lab')).toContain('<domain/>');
    expect(await readFile(join(folder, 'modes'), 'utf8')).toBe('600\n700\n');
    const [file = ''] = await editedFiles();
    await expect(stat(file)).rejects.toThrow(/ENOENT/);
  });

  it('changes nothing if nothing was written', async () => {
    await writeEditor();
    driver.networkDefineXml = () => { throw new Error('must not be called'); };
    expect(await edit('lab')).toMatchObject({ code: 0, out: 'Network lab XML configuration not changed.\n\n', err: '' });
  });

  it('says that an active network changes later', async () => {
    await writeEditor('echo "<!-- x -->" >> "$file"');
    expect((await edit('live')).err).toBe('hint: network live is active, and all of its definition is live\n');
    driver.pending.push('bridge/@stp', 'ip[2]');
    expect((await edit('live')).err).toBe('hint: network live is active; these parts wait for its next start, all others are live: bridge/@stp, ip[2]\n');
  });

  it('prefers VISUAL, takes arguments, and fails well without an editor', async () => {
    await writeEditor('echo "<!-- $1 -->" >> "$file"');
    await edit('lab', { env: { EDITOR: 'false', VISUAL: `${editor} --wait` } });
    expect(xmlOf('lab')).toMatch(/<!-- --wait -->/);
    const { code, err } = await edit('lab', { env: { EDITOR: '/nonexistent/editor' }, stdin: 'n\n' });
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("error: cannot run editor '/nonexistent/editor': ") });
  });

  it('after an error edits the same text again', async () => {
    await writeEditor('if grep -q broken "$file"; then sed -i "s/broken/<name>lab<\\/name><mtu>/" "$file"; else sed -i "s/<name>.*/broken/" "$file"; fi');
    const { code, out, err } = await edit('lab', { stdin: '?\ny\n' });
    expect({ code, out }).toEqual({ code: 0, out: 'Network lab XML configuration edited.\n\n' });
    expect(err).toContain('error: Failed to define network from ');
    expect(err).toContain(':2:3: network/name: a network needs a name\n');
    expect(err).toContain('y - yes, start editor again\n');
    expect(new Set(await editedFiles()).size).toBe(1);
    expect(await editedFiles()).toHaveLength(2);
  });

  it.each([['n\n'], [''], ['y\n'], ['what\n']])('after an error and %j keeps the text and fails', async (stdin) => {
    await writeEditor('echo nonsense > "$file"');
    const { code, out, err } = await edit('lab', { stdin });
    expect({ code, out }).toEqual({ code: 2, out: '\n' });
    expect(xmlOf('lab')).toBe(documentOf('lab'));
    const [file = ''] = await editedFiles();
    expect(err).toContain(`hint: what you wrote is in ${file}\n`);
    expect(await readFile(file, 'utf8')).toBe('nonsense\n');
  });

  it('does not overwrite what another has changed, unless told to', async () => {
    await writeEditor('echo "<!-- mine -->" >> "$file"');
    const original = driver.networkDumpXml;
    let theirs = documentOf('lab');
    driver.networkDumpXml = async () => {
      const answer = { xml: theirs };
      theirs = '<!-- theirs -->';
      return answer;
    };
    const { code, err } = await edit('lab', { stdin: 'n\n' });
    expect({ code, err }).toEqual({ code: 4, err: expect.stringContaining('error: the XML configuration was changed by another user\n') });
    expect(xmlOf('lab')).not.toContain('mine');
    theirs = documentOf('lab');
    expect(await edit('lab', { stdin: 'f\n' })).toMatchObject({ code: 0 });
    expect(xmlOf('lab')).toContain('mine');
    driver.networkDumpXml = original;
  });

  it('is strict until told otherwise', async () => {
    await writeEditor('echo "<!-- x -->" >> "$file"');
    const asked: boolean[] = [];
    const define = driver.networkDefineXml;
    driver.networkDefineXml = async (request) => {
      asked.push(request.validate);
      if (request.validate) throw new Error('unknown element');
      return define(request);
    };
    expect(await edit('lab', { stdin: 'i\n' })).toMatchObject({ code: 0 });
    expect(asked).toEqual([true, false]);
  });
});

describe('from a script', () => {
  const script = (stdin: string) => runVnet(['net-edit', 'lab'], { driver, stdin, env: { EDITOR: 'false' } });

  it('defines standard input', async () => {
    const document = `${documentOf('lab')}<!-- new -->\n`;
    expect(await script(document)).toMatchObject({ code: 0, out: 'Network lab XML configuration edited.\n\n' });
    expect(xmlOf('lab')).toBe(document);
  });

  it('changes nothing for the same text', async () => {
    driver.networkDefineXml = () => { throw new Error('must not be called'); };
    expect(await script(`${documentOf('lab')}\n`)).toMatchObject({ code: 0, out: 'Network lab XML configuration not changed.\n\n' });
  });

  it('fails where the document is refused', async () => {
    expect(await script('nonsense')).toMatchObject({ code: 2, out: '\n', err: expect.stringContaining('error: Failed to define network from stdin\n') });
    expect(xmlOf('lab')).toBe(documentOf('lab'));
  });
});
