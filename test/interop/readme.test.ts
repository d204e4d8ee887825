/** The README's examples do what they say. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { defaultConfig, parseConfig } from '../../server/config.js';
import { version } from '../../shared/version.js';
import { dist, openFolder } from '../processes.js';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url).pathname;
const readme = await readFile(join(root, 'README.md'), 'utf8');

describe('the README', () => {
  it('has a TypeScript example that runs', async () => {
    const [, example = ''] = /```ts\n([^]*?)```/.exec(readme) ?? [];
    const folder = await openFolder();
    const file = join(folder.path, 'example.mjs');
    await writeFile(file, example.replace("from 'vnetd'", `from '${join(dist, 'client/index.js')}'`));
    const { stdout } = await run(process.execPath, [file]);
    expect(stdout).toBe('virbr2 []\nRequested operation is not valid: network is already active\n');
    await folder.close();
  });

  it('shows the configuration with the defaults that hold', () => {
    const [, block = ''] = /These are the defaults:\n\n((?: {4}.*\n|\n)*)/.exec(readme) ?? [];
    const toml = block.replace(/^ {4}/gm, '');
    expect(toml).toContain('[tls]');
    expect(parseConfig(toml, 'README', defaultConfig('/'))).toEqual(defaultConfig('/'));
  });

  it('belongs to the version that the package and the programs have', async () => {
    const { version: packaged } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(version).toBe(packaged);
    expect((await run(process.execPath, [join(dist, 'bin/vnetd.js'), '--version'])).stdout.trim()).toBe(packaged);
  });
});
