/** The Debian package: built by its one command, and unpacked, upgraded and purged below a root of its own. */
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { openFolder } from '../processes.js';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url).pathname;
const able = process.getuid?.() === 0 && await run('dpkg-deb', ['--version']).then(() => true, () => false);

it.skipIf(!able)('installs, runs, keeps its configuration over an upgrade, and leaves nothing when purged', async () => {
  const folder = await openFolder();
  try {
    const built = async (version: string) => (await run(process.execPath, [join(root, 'server/service/deb.mjs'), folder.path, version])).stdout.trim();
    const host = join(folder.path, 'host');
    await mkdir(join(host, 'var/lib/dpkg/info'), { recursive: true });
    await mkdir(join(host, 'var/lib/dpkg/updates'), { recursive: true });
    await writeFile(join(host, 'var/lib/dpkg/status'), '');
    const dpkg = (...argv: string[]) => run('dpkg', [`--root=${host}`, '--force-script-chrootless', '--force-depends', '--log=/dev/null', ...argv]);
    await dpkg('--install', await built('1.0'));
    expect((await run(process.execPath, [join(host, 'usr/bin/vnet'), '--version'])).stdout).toMatch(/\d+\.\d+\.\d+/);
    const check = await run(process.execPath, [join(host, 'usr/sbin/vnetd'), '--root', host, '--check-config']);
    expect(check.stdout).toBe('the configuration is good\n');
    const config = join(host, 'etc/vnet/vnetd.toml');
    await writeFile(config, '[log]\nlevel = "warn"\n');
    await dpkg('--force-confold', '--install', await built('1.1'));
    expect(await readFile(config, 'utf8')).toContain('warn');
    await dpkg('--purge', 'vnet');
    const left = (await readdir(host, { recursive: true })).filter((name) => /vnet/.test(name));
    expect(left).toEqual([]);
  } finally {
    await folder.close();
  }
}, 120_000);
