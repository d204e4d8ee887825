/** `vnet` as a process: what it loads, its streams, its signals and its terminal. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dist, openFolder, startDaemon, type Daemon } from '../processes.js';

const run = promisify(execFile);
/** The program as it is installed: the files that shared/bundle.mjs makes. */
const program = join(dist, 'bin/vnet.js');
const folder = await openFolder();
let daemon: Daemon;
let uri: string;
beforeAll(async () => {
  daemon = await startDaemon(['--root', folder.path, '--driver', 'test']);
  uri = daemon.uris['unix']!;
});
afterAll(async () => {
  await daemon?.stop();
  await folder.close();
});
const vnet = (...argv: string[]) => spawnSync(process.execPath, [program, ...argv], { encoding: 'utf8', env: { ...process.env, VNET_URI: uri } });

describe('what is loaded', () => {
  /** The files a run loads, seen from the package's folder; a foreign package under its name alone. */
  const loadedBy = (...argv: string[]): string[] => {
    const hook = 'export async function resolve(name, context, next) { const found = await next(name, context); process._rawDebug(`loads ${found.url}`); return found; }';
    const register = `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)});`;
    const { stderr } = spawnSync(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(register)}`, program, ...argv], { encoding: 'utf8', env: { ...process.env, VNET_URI: uri } });
    expect(stderr).toContain('loads file:');
    const files = [...stderr.matchAll(/^loads file:\/\/(.*)/gm)].map(([, path]) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path!)?.[1] ?? relative(dist, path!));
    return [...new Set(files)].sort();
  };
  const transport = 'bin/remote.js';

  it.each([['--help'], ['help', 'start'], ['man'], ['completion', 'bash'], ['nocmd'], ['--version']])('by %s %s is nothing foreign, and no transport', (...argv) => {
    const loaded = loadedBy(...argv);
    expect(loaded.filter((file) => !file.startsWith('bin/') && !file.startsWith('shared/'))).toEqual([]);
    expect(loaded).not.toContain(transport);
    expect(loaded).not.toContain('bin/messages.js');
  });

  it('by validate is the XML parser, and no transport', () => {
    const loaded = loadedBy('validate', '/dev/null');
    expect(loaded).toContain('bin/definition.js');
    expect(loaded).not.toContain(transport);
  });

  it('by list is no XML parser, no server, no reflection, no YAML, and few files', () => {
    const loaded = loadedBy('list');
    expect(loaded).toContain(transport);
    // Everything foreign that it needs is in the bundle.
    expect(loaded.filter((file) => !file.startsWith('bin/') && !file.startsWith('shared/'))).toEqual([]);
    expect(loaded.filter((file) => file.startsWith('shared/'))).toEqual(['shared/errors.js', 'shared/gen/vnet/v1/error.js']);
    expect(loaded).not.toContain('bin/definition.js');
    // Those of under a kilobyte lead from a name to a file that is loaded already.
    const sizes = loaded.filter((file) => file.startsWith('bin/')).map((file) => statSync(join(dist, file)).size);
    expect(sizes.filter((size) => size > 1024).length).toBeLessThanOrEqual(8);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(700_000);
  });

  it('lets list answer in a few times what an empty Node takes', () => {
    // Promised are 4 times. The least of several runs: whatever else runs here only makes them longer.
    const least = (...argv: string[]) => Math.min(...Array.from({ length: 7 }, () => {
      const before = performance.now();
      expect(spawnSync(process.execPath, argv, { env: { ...process.env, VNET_URI: uri } }).status).toBe(0);
      return performance.now() - before;
    }));
    expect(least(program, 'list') / least('-e', '0')).toBeLessThan(4);
  }, 60_000);
});

describe('the package', () => {
  it('holds all that its programs need beside its dependencies', async () => {
    const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder.path], { cwd: join(dist, '..') });
    await run('tar', ['-xzf', join(folder.path, stdout.trim()), '-C', folder.path]);
    const installed = join(folder.path, 'package');
    const { dependencies, bin } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as Record<'dependencies' | 'bin', Record<string, string>>;
    for (const name of Object.keys(dependencies)) {
      await mkdir(dirname(join(installed, 'node_modules', name)), { recursive: true });
      await symlink(join(dist, '../node_modules', name), join(installed, 'node_modules', name));
    }
    const installedVnet = (...argv: string[]) => spawnSync(process.execPath, [join(installed, bin['vnet']!), ...argv], { encoding: 'utf8' });
    expect(installedVnet('-c', uri, 'list', '--name')).toMatchObject({ stderr: '', stdout: expect.stringContaining('default\n') });
    expect(installedVnet('-c', uri, 'list', '-o', 'yaml')).toMatchObject({ stderr: '', stdout: expect.stringContaining('name: default\n') });
    expect(spawnSync(process.execPath, [join(installed, bin['vnetd']!), '--version'], { encoding: 'utf8' }).stderr).toBe('');
    expect(await readFile(join(installed, 'dist/bin/LICENSES.txt'), 'utf8')).toContain('@grpc/grpc-js');
    // A driver in this process throws the errors that the program knows.
    expect(installedVnet('-c', 'test:///default', 'start', 'default')).toMatchObject({ status: 4, stderr: expect.stringMatching(/^error: Failed to start network default\nerror: Requested operation is not valid/) });
  }, 60_000);
});

describe('streams', () => {
  it('a document on standard input, a definition on standard output', async () => {
    const { stdout, stderr, status } = spawnSync('bash', ['-c',
      `echo "<network><name>piped</name></network>" | "$1" "$2" define - && "$1" "$2" -q dumpxml piped | "$1" "$2" validate -`, 'bash', process.execPath, program],
    { encoding: 'utf8', env: { ...process.env, VNET_URI: uri } });
    expect({ stdout, stderr, status }).toEqual({ stdout: 'Network piped defined from stdin\n\nstdin is valid\n\n', stderr: '', status: 0 });
  });

  it('a reader that goes away is no failure, and what was asked is done', async () => {
    const { stderr } = spawnSync('bash', ['-c', '"$1" "$2" start private | true; exit "${PIPESTATUS[0]}"', 'bash', process.execPath, program], { encoding: 'utf8', env: { ...process.env, VNET_URI: uri } });
    expect(stderr).toBe('');
    expect(vnet('-q', 'list', '--active', '--name').stdout).toContain('private\n');
    expect(spawnSync('bash', ['-c', '"$1" "$2" man | head -c 1; exit "${PIPESTATUS[0]}"', 'bash', process.execPath, program], { encoding: 'utf8' })).toMatchObject({ status: 0, stdout: '.', stderr: '' });
  });
});

describe('ends', () => {
  it('with 6 within a second or so where nobody listens', () => {
    const before = performance.now();
    const { status, stderr } = vnet('-c', `vnet+unix:///system?socket=${folder.path}/nobody.sock`, 'list');
    expect({ status, stderr }).toEqual({ status: 6, stderr: expect.stringMatching(/^error: failed to connect to .*\nerror: .*No such file or directory\nhint: .*vnetd/) });
    expect(performance.now() - before).toBeLessThan(2_500);
  });

  it('with 130 at once when interrupted, even where a host is silent', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const accepted = new Promise<void>((resolve) => silent.once('connection', () => resolve()));
    const { port } = silent.address() as { port: number };
    const child = spawn(process.execPath, [program, '-c', `vnet+tcp://127.0.0.1:${port}/system`, 'list'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => { stderr += chunk.toString(); });
    await accepted;
    const before = performance.now();
    child.kill('SIGINT');
    const code = await new Promise((resolve) => child.once('close', resolve));
    silent.close();
    expect({ code, stderr }).toEqual({ code: 130, stderr: 'error: interrupted\n' });
    expect(performance.now() - before).toBeLessThan(2_000);
  });
});

const script = spawnSync('script', ['--version']).error === undefined;
describe.skipIf(!script)('on a terminal', () => {
  /** Runs vnet on a terminal of its own, where it reads these lines. */
  const onTerminal = async (editor: string, typed: string, ...argv: string[]) => {
    const command = [process.execPath, program, ...argv].map((word) => `'${word}'`).join(' ');
    const running = run('script', ['-qec', command, '/dev/null'], { env: { ...process.env, VNET_URI: uri, EDITOR: editor, SHELL: '/bin/sh', TMPDIR: folder.path } });
    running.child.stdin?.end(typed);
    return running.then(({ stdout }) => ({ code: 0, screen: stdout.replaceAll('\r', '') }),
      ({ stdout, code }: { stdout: string; code: number }) => ({ code, screen: stdout.replaceAll('\r', '') }));
  };

  it('edit opens the editor there', async () => {
    const editor = join(folder.path, 'editor');
    await writeFile(editor, `#!/bin/sh\ntest -t 0 && test -t 1 && sed -i 's,<bridge,<title>edited</title><bridge,' "$1"\n`);
    await chmod(editor, 0o755);
    const { code, screen } = await onTerminal(editor, '', 'edit', 'private');
    expect({ code, screen }).toEqual({ code: 0, screen: expect.stringContaining('Network private XML configuration edited.\n') });
    expect(vnet('dumpxml', 'private', '--inactive').stdout).toContain('<title>edited</title>');
  });

  it('Ctrl-C in the editor is the editor\'s', async () => {
    const editor = join(folder.path, 'interrupted');
    await writeFile(editor, `#!/bin/sh\nkill -INT $PPID\nsleep 0.3\nsed -i 's,<bridge,<description>kept</description><bridge,' "$1"\n`);
    await chmod(editor, 0o755);
    expect(await onTerminal(editor, '', 'edit', 'private')).toMatchObject({ code: 0 });
    expect(vnet('dumpxml', 'private', '--inactive').stdout).toContain('<description>kept</description>');
  });

  it('edit asks again after an error, and keeps what was written', async () => {
    const editor = join(folder.path, 'breaker');
    await writeFile(editor, '#!/bin/sh\necho "mine" > "$1"\n');
    await chmod(editor, 0o755);
    const { code, screen } = await onTerminal(editor, 'n\n', 'edit', 'private');
    expect(code).toBe(2);
    expect(screen).toContain('Try again? [y,n,i,f,?]: ');
    const [, kept = ''] = /hint: what you wrote is in (\S+)/.exec(screen) ?? [];
    expect(await readFile(kept, 'utf8')).toBe('mine\n');
  });
});

it('answers TAB in well under half a second, from the daemon', async () => {
  const before = performance.now();
  const { stdout } = vnet('__complete', '--', 'info', 'def');
  expect(stdout).toBe('default\tactive, nat\n');
  expect(performance.now() - before).toBeLessThan(1_500);
});
