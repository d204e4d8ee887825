/** How programs are run, and how their failures read. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openCommands } from '../../../server/host/command.js';
import { ErrorCode } from '../../../shared/errors.js';

const folder = mkdtempSync(join(tmpdir(), 'vnet-command-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A door to a program that is this script. */
function program(script: string) {
  const path = join(folder, `p${Math.random()}`);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return openCommands({ ip: path });
}

describe('a program', () => {
  it('is run with its arguments as they are and nothing of our environment, so that it speaks English whatever we do', async () => {
    process.env['VNET_SECRET'] = 'x';
    const output = await program('echo "$1|$2|$LC_ALL|$VNET_SECRET|$(pwd)"').read('ip', ['a b', '$(id);*']);
    expect(output).toBe('a b|$(id);*|C||/\n');
  });

  it('gets its input, and need not read it', async () => {
    await expect(program('read -r line; test "$line" = hello').run('ip', [], { input: 'hello\n' })).resolves.toBeUndefined();
    await expect(program('exec 0<&-; exit 0').run('ip', [], { input: 'x'.repeat(1_000_000) })).resolves.toBeUndefined();
  });

  it('that fails is quoted', async () => {
    await expect(program('echo "RTNETLINK answers: File exists" >&2; exit 2').run('ip', ['x'])).rejects.toMatchObject({
      code: ErrorCode.INTERNAL_ERROR, message: 'internal error: ip failed: RTNETLINK answers: File exists', words: 'RTNETLINK answers: File exists',
    });
    await expect(program('exit 3').read('ip', [])).rejects.toMatchObject({ words: 'exit code 3 without a word' });
    await expect(program('kill -9 $$').run('ip', [])).rejects.toMatchObject({ words: 'killed by SIGKILL' });
  });

  it('that takes too long is killed', async () => {
    const began = performance.now();
    await expect(program('exec sleep 30').run('ip', [], { timeoutMs: 100 })).rejects.toMatchObject({ words: 'no end within 100 ms; killed' });
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('that is not installed is named with its package, and is found once it is there', async () => {
    const path = join(folder, 'later');
    const commands = openCommands({ nft: path });
    const missing = { code: ErrorCode.SYSTEM_ERROR, message: expect.stringContaining("'nft'"), hint: expect.stringContaining('apt-get install nftables') };
    await expect(commands.require('nft')).rejects.toMatchObject(missing);
    await expect(commands.run('nft', [])).rejects.toMatchObject(missing);
    writeFileSync(path, '#!/bin/sh\n');
    chmodSync(path, 0o755);
    await expect(commands.run('nft', [])).resolves.toBeUndefined();
    rmSync(path);
    await expect(commands.run('nft', [])).rejects.toMatchObject(missing);
  });
});
