/**
 * Lives here: `npm run deb`: the Debian package, out of what is built and
 * installed here, without a network. Does not know: how a package is signed or
 * published.
 *
 *     npm run deb                   into dist/
 *     npm run deb -- FOLDER [VERSION]
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const { version: own, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const [folder = join(root, 'dist'), version = own] = process.argv.slice(2);
if (!/^\d[0-9A-Za-z.+~]*$/.test(version)) throw new Error(`${version} is no version of a Debian package`);
if (!existsSync(join(root, 'dist/bin/vnet.js'))) throw new Error('nothing is built: npm run build');

const stage = mkdtempSync(join(tmpdir(), 'vnet-deb-'));
chmodSync(stage, 0o755);
process.umask(0o022);
try {
  program();
  service();
  documents();
  control();
  mkdirSync(folder, { recursive: true });
  const made = join(folder, `vnet_${version}_all.deb`);
  run('dpkg-deb', ['--build', '--root-owner-group', '-Zgzip', '-z1', stage, made]);
  console.log(made);
} finally {
  rmSync(stage, { recursive: true, force: true });
}

/** /usr/lib/vnet: what is built, and the packages it needs; the two programs lead there. */
function program() {
  const lib = 'usr/lib/vnet';
  for (const part of ['dist/bin', 'dist/client', 'dist/server', 'dist/shared', 'proto', 'package.json']) place(join(root, part), join(lib, part));
  for (const path of read('npm', ['ls', '--omit=dev', '--all', '--parseable']).trim().split('\n').slice(1)) {
    // A package within a package comes with it.
    if (!/node_modules\/.*node_modules\//.test(relative(root, path))) place(path, join(lib, relative(root, path)));
  }
  link('usr/bin/vnet', '../lib/vnet/dist/bin/vnet.js');
  link('usr/sbin/vnetd', '../lib/vnet/dist/bin/vnetd.js');
}

function service() {
  const from = join(root, 'server/service');
  for (const unit of ['vnetd.service', 'vnetd.socket', 'vnetd-ro.socket', 'vnetd-tcp.socket', 'vnetd-tls.socket']) place(join(from, unit), join('lib/systemd/system', unit));
  place(join(from, 'sysusers.conf'), 'usr/lib/sysusers.d/vnet.conf');
  place(join(from, 'tmpfiles.conf'), 'usr/lib/tmpfiles.d/vnet.conf');
  place(join(from, 'modules-load.conf'), 'usr/lib/modules-load.d/vnet.conf');
  place(join(from, 'vnetd.toml'), 'etc/vnet/vnetd.toml');
}

function documents() {
  place(join(root, 'LICENSE'), 'usr/share/doc/vnet/copyright');
  place(join(root, 'CHANGELOG.md'), 'usr/share/doc/vnet/changelog');
}

function control() {
  write('DEBIAN/control', `Package: vnet
Version: ${version}
Architecture: all
Maintainer: The vnet project <root@localhost>
Section: net
Priority: optional
Depends: nodejs (>= 20.19), iproute2, nftables, dnsmasq-base, perl-base
Recommends: openssl, openssh-client
Description: ${description}
`);
  write('DEBIAN/conffiles', '/etc/vnet/vnetd.toml\n');
  for (const script of ['postinst', 'prerm', 'postrm']) {
    place(join(root, 'server/service', `${script}.sh`), `DEBIAN/${script}`);
    chmodSync(join(stage, 'DEBIAN', script), 0o755);
  }
}

function place(from, to) {
  mkdirSync(dirname(join(stage, to)), { recursive: true });
  cpSync(from, join(stage, to), { recursive: true });
}

function link(path, target) {
  mkdirSync(dirname(join(stage, path)), { recursive: true });
  symlinkSync(target, join(stage, path));
}

function write(path, text) {
  mkdirSync(dirname(join(stage, path)), { recursive: true });
  writeFileSync(join(stage, path), text);
}

function run(name, argv) {
  if (spawnSync(name, argv, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }).status !== 0) throw new Error(`${name} failed`);
}

function read(name, argv) {
  const { status, stdout, stderr } = spawnSync(name, argv, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name} failed: ${stderr}`);
  return stdout;
}
