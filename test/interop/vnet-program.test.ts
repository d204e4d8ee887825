/** `vnet` as a process: what it loads, its streams, its signals and its terminal. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dist, openFolder, startDaemon, type Daemon } from '../processes.js';

const run = promisify(execFile);
const program = join(dist, 'client/cli/vnet.js');
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
  /** The foreign packages a run loads. */
  const packagesOf = (...argv: string[]): string[] => {
    const hook = 'export async function resolve(name, context, next) { const found = await next(name, context); process._rawDebug(`loads ${found.url}`); return found; }';
    const register = `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)});`;
    const { stderr } = spawnSync(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(register)}`, program, ...argv], { encoding: 'utf8', env: { ...process.env, VNET_URI: uri } });
    expect(stderr).toContain('loads file:');
    return [...new Set([...stderr.matchAll(/^loads file:.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/gm)].map(([, name]) => name!))].sort();
  };

  it.each([['--help'], ['help', 'start'], ['man'], ['completion', 'bash'], ['nocmd'], ['--version']])('by %s %s is nothing foreign', (...argv) => {
    expect(packagesOf(...argv)).toEqual([]);
  });

  it('by validate is no transport', () => {
    expect(packagesOf('validate', '/dev/null')).not.toContain('@grpc/grpc-js');
    expect(packagesOf('list')).toContain('@grpc/grpc-js');
  });
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
