/**
 * Lives here: the way into a lab: a program in namespaces of its own, so that
 * nothing on the machine changes and nothing is left. Plain JavaScript on Node
 * alone, since nothing is installed when it runs.
 *
 *     node test/lab/enter.mjs CMD ARGS...   runs CMD in a new lab; its exit code is CMD's
 *     node test/lab/enter.mjs --check       whether this machine allows it, and if not, why
 *
 * CMD is root of an empty network, with a /run of its own and a resolv.conf
 * that may be written, and is told by VNET_LAB_OUTSIDE what it came from.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { constants } from 'node:os';

/** New namespaces; PID 1 is the shell below, and when unshare goes, so does everything in them. */
const unshare = [
  ...(process.getuid() === 0 ? [] : ['--user', '--map-root-user']),
  '--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child',
];

/**
 * What PID 1 does: hides the machine's /run, in which `ip netns` keeps names,
 * puts a file of the lab's in place of resolv.conf (a link into /run, with
 * systemd-resolved, leads nowhere now and gets its file back), runs the
 * command, and takes over and buries what daemons leave behind.
 */
const inside = `
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
target=$(readlink -m /etc/resolv.conf)
case "$target" in
  /run/*) mkdir -p "$(dirname "$target")"; : > "$target" ;;
  *) : > /run/resolv.conf; mount --bind /run/resolv.conf "$target" ;;
esac
ip link set lo up
set +e
"$@"
exit $?`;

/** What a lab has to be able to do, each with what it means if it cannot. */
const trials = `
ip link add vnet-check type bridge || exit 11
ip link delete vnet-check
ip netns add vnet-check || exit 12
ip netns delete vnet-check
nft 'add table inet vnet-check' || exit 13
echo 1 > /proc/sys/net/ipv4/ip_forward || exit 14`;
const meanings = {
  11: 'bridges cannot be made (is the kernel module bridge there?)',
  12: 'network namespaces cannot be named',
  13: 'nftables cannot be used (is the package nftables installed, and the kernel module nf_tables there?)',
  14: '/proc/sys/net cannot be written',
};

const [command, ...argv] = process.argv.slice(2);
const environment = {
  ...process.env,
  PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`,
  VNET_LAB_OUTSIDE: readlinkSync('/proc/self/ns/net'),
};

if (command === undefined) {
  console.error('usage: node test/lab/enter.mjs --check | CMD ARGS...');
  process.exit(2);
}
if (command === '--check') check();
else run();

/** Tries everything once, and ends this process with what came of it. */
function check() {
  const { status, stderr, error } = spawnSync('unshare', [...unshare, 'sh', '-c', inside, 'lab', 'sh', '-c', trials], { env: environment, encoding: 'utf8' });
  if (status === 0) {
    console.log('network namespaces can be made here');
    process.exit(0);
  }
  const words = (error?.message ?? stderr).trim().split('\n').at(-1);
  const why = meanings[status] ?? (process.getuid() === 0
    ? 'namespaces cannot be made (in a container, it takes --privileged)'
    : 'namespaces cannot be made without root here; run it as root, or allow user namespaces');
  console.log(`${why}: ${words}`);
  process.exit(1);
}

/** Runs the command, and ends this process as it ends. A signal to this process ends the lab with everything in it. */
function run() {
  const child = spawn('unshare', [...unshare, 'sh', '-c', inside, 'lab', command, ...argv], { env: environment, stdio: 'inherit' });
  // Ctrl-C reaches the command by itself: what it does about it is up to it.
  process.on('SIGINT', () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill('SIGKILL'));
  child.once('error', (error) => {
    console.error(`a lab cannot be entered: ${error.message}`);
    process.exit(1);
  });
  child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
