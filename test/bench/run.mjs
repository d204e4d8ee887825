/**
 * Lives here: `npm run bench`: measures this checkout against the bare tools,
 * and against libvirt where it is installed.
 *
 *     npm run bench                     everything that this machine can measure
 *     npm run bench -- autostart        one of definition, calls, start, autostart, most, forwarding
 *     npm run bench -- --peer libvirt   beside libvirtd
 *     npm run bench -- --json           for machines
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build, ensureDebianPackages, ensureNpmPackages, hostPackages, requireNode, root } from '../setup.mjs';

requireNode();
ensureDebianPackages(hostPackages);
if (!ensureNpmPackages() || !build()) process.exit(1);
const { status } = spawnSync(process.execPath, [
  join(root, 'test/lab/enter.mjs'), process.execPath, join(root, 'dist/test/bench/main.js'), ...process.argv.slice(2),
], { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
