/**
 * Lives here: `npm start`: from a fresh clone to a virtual network with a
 * guest on it, in namespaces of its own. Plain JavaScript on Node alone, since
 * nothing is installed when it runs.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build, ensureDebianPackages, ensureNpmPackages, hostPackages, requireNode, root } from '../setup.mjs';

requireNode();
const missing = ensureDebianPackages(hostPackages);
if (!ensureNpmPackages() || !build()) process.exit(1);

const enter = join(root, 'test/lab/enter.mjs');
const check = spawnSync(process.execPath, [enter, '--check'], { encoding: 'utf8' });
const reason = missing.length > 0 ? `not installed: ${missing.join(', ')}` : check.status === 0 ? '' : `${check.stdout}${check.stderr}`.trim();
const demo = join(root, 'dist/test/demo/demo.js');
const argv = reason === '' ? [enter, process.execPath, demo, 'host'] : [demo, 'test'];
if (reason !== '') console.log(`A real network cannot be shown here: ${reason}\nServing the test driver instead, which touches nothing.\n`);

// The demonstration ends when its input does: by Ctrl-C here, or when this
// process is gone. In a session of its own it is not hit by Ctrl-C itself, so
// that it can put everything away first.
const child = spawn(process.execPath, argv, { cwd: root, stdio: ['pipe', 'inherit', 'inherit'], detached: true });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.stdin.end());
child.stdin.on('error', () => undefined);
child.once('exit', (code) => process.exit(code ?? 1));
