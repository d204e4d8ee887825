/**
 * Lives here: what stands between a fresh clone and a running program:
 * npm's packages, Debian's packages, the build. Plain JavaScript on Node
 * alone, since nothing is installed when it runs.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The package's folder. */
export const root = new URL('..', import.meta.url).pathname;

/** Programs that serving a host needs, each with the Debian package that has it. */
export const hostPackages = { ip: 'iproute2', nft: 'nftables', dnsmasq: 'dnsmasq-base', unshare: 'util-linux', mount: 'mount', udhcpc: 'udhcpc' };

const searchPath = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];

/** Whether a program is installed. */
export function installed(program) {
  return searchPath.some((folder) => folder !== '' && existsSync(join(folder, program)));
}

/** Runs a program to its end with this one's output. Gives whether it succeeded. */
export function run(program, argv, env = {}) {
  const { status } = spawnSync(program, argv, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } });
  return status === 0;
}

/** Installs npm's packages if the lock file says something else than what is there. */
export function ensureNpmPackages() {
  const mark = join(root, 'node_modules/.package-lock.json');
  if (existsSync(mark) && statSync(mark).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs) return true;
  console.error('installing npm packages (npm ci) ...');
  return run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
}

/**
 * Installs Debian packages for the programs that are missing, as root; else
 * prints the one command that does. Gives the programs that are still missing.
 */
export function ensureDebianPackages(packages) {
  const missing = () => Object.keys(packages).filter((program) => !installed(program));
  const wanted = [...new Set(missing().map((program) => packages[program]))];
  if (wanted.length === 0) return [];
  if (process.getuid() !== 0 || !installed('apt-get')) {
    console.error(`missing: ${missing().join(', ')}. To install:\n\n  sudo apt-get install -y ${wanted.join(' ')}\n`);
    return missing();
  }
  console.error(`installing Debian packages: ${wanted.join(' ')} ...`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const install = () => run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...wanted], env);
  if (!install()) {
    run('apt-get', ['update', '-qq'], env);
    install();
  }
  return missing();
}

/** Builds dist. */
export function build() {
  return run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json']) && run(process.execPath, [join(root, 'shared/bundle.mjs')]);
}

/** The least Node that the package says it runs on. Ends the process if this one is older. */
export function requireNode() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const [, major, minor] = /(\d+)\.(\d+)/.exec(engines.node);
  const [hereMajor, hereMinor] = process.versions.node.split('.').map(Number);
  if (hereMajor > Number(major) || (hereMajor === Number(major) && hereMinor >= Number(minor))) return;
  console.error(`vnet needs Node ${engines.node}; this is ${process.versions.node}`);
  process.exit(1);
}
