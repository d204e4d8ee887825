/**
 * Lives here: `npm run soak`: clients of every kind, guests and faults, for as
 * long as is asked for, and whether everything is as the rules say.
 *
 *     npm run soak                          for ten minutes
 *     npm run soak -- --minutes 60          for an hour
 *     npm run soak -- --seed 4711           what another soak with this seed did, as far as time allows
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build, ensureDebianPackages, ensureNpmPackages, hostPackages, requireNode, root } from '../setup.mjs';

requireNode();
ensureDebianPackages({ ...hostPackages, ping: 'iputils-ping', openssl: 'openssl' });
if (!ensureNpmPackages() || !build()) process.exit(1);
const { status } = spawnSync(process.execPath, [
  join(root, 'test/lab/enter.mjs'), process.execPath, join(root, 'dist/test/soak/main.js'), ...process.argv.slice(2),
], { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
