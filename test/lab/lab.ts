/**
 * Lives here: a lab: a host with an outside world on the far side of two
 * uplinks, and guests. To be opened inside `node test/lab/enter.mjs`.
 *
 *     outside ---- up0  host  up1 ---- elsewhere
 *                       bridges of networks
 *                       guests
 *
 * The host is the namespace of this process, so that a host driver can run in
 * it. `outside` is where the host's default route and its name server are; its
 * way back to everything leads through the host, as if it were the host's
 * router. Does not know: networks; bridges are there before guests come.
 */
import { access, mkdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { spawn, type ChildProcess } from 'node:child_process';
import { until } from '../processes.js';
import { openGuest, type Guest, type GuestOptions } from './guest.js';
import { inNamespace, openPlace, runProgram, type Place } from './place.js';

export type { Guest, GuestLease, GuestOptions } from './guest.js';
export { echoPort, runProgram, type Place, type Reach } from './place.js';

/** Who has which address. Those for documentation, so that they are nobody's. */
export const addresses = {
  up0: { ipv4: '198.51.100.1', ipv6: '2001:db8:1::1' },
  outside: { ipv4: '198.51.100.254', ipv6: '2001:db8:1::fe' },
  up1: { ipv4: '203.0.113.1', ipv6: '2001:db8:2::1' },
  elsewhere: { ipv4: '203.0.113.254', ipv6: '2001:db8:2::fe' },
} as const;

/** A name that only the outside's name server knows; its address is the outside's. */
export const outsideName = 'www.outside.test';

/** A lab. */
export interface Lab {
  /** The namespace of this process. */
  host: Place;
  /** Behind `up0`, the default route. */
  outside: Place;
  /** Behind `up1`. */
  elsewhere: Place;
  /** A folder for files, gone when the lab is closed; dnsmasq's account can pass it. */
  folder: string;
  /** The host's resolv.conf, which names the outside's name server. */
  resolvConf: string;
  /** Plugs a guest into a bridge. */
  guest(bridge: string, name: string, options?: GuestOptions): Promise<Guest>;
  /** Takes everything away but what others made. */
  close(): Promise<void>;
}

const folder = '/run/vnet-lab';
const resolvConf = '/etc/resolv.conf';

/** How long another lab in these namespaces may take to be closed. */
const lockTimeoutMs = 300_000;

/**
 * Opens a lab. One at a time in the same namespaces: it waits for another to
 * be closed.
 *
 * @throws Error if this process is in the machine's own network
 */
export async function openLab(): Promise<Lab> {
  await requireLab();
  await lock();
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async () => {
    const failures: unknown[] = [];
    for (const step of closers.splice(0).reverse()) await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, 'the lab could not be closed in full');
  };
  try {
    // What another test's programs left in the firewall and the kernel is not this lab's.
    await runProgram('nft', ['flush', 'ruleset']);
    for (const key of ['ipv4/ip_forward', 'ipv6/conf/all/forwarding']) await writeFile(`/proc/sys/net/${key}`, '0');
    // Who compares addresses before and after is not to meet one that the kernel is still trying.
    await writeFile('/proc/sys/net/ipv6/conf/default/accept_dad', '0');
    const namespace = async (name: 'outside' | 'elsewhere', uplink: 'up0' | 'up1') => {
      await runProgram('ip', ['netns', 'add', name]);
      closers.push(() => runProgram('ip', ['netns', 'delete', name]));
      // A cable goes when its namespace is taken apart, which takes a while: the next lab is not to meet it.
      closers.push(() => runProgram('ip', ['link', 'delete', uplink]).catch(() => undefined));
      await wire(name, uplink);
    };
    await namespace('outside', 'up0');
    await namespace('elsewhere', 'up1');
    // The kernel gives them their own addresses when it has seen that the cable is live, which may take it a second.
    await until('the uplinks have settled', async () => (await Promise.all(['up0', 'up1'].map((uplink) => runProgram('ip', ['-o', '-6', 'addr', 'show', 'dev', uplink, 'scope', 'link']))))
      .every((text) => text !== ''));
    await runProgram('ip', ['-batch', '-'], `route add default via ${addresses.outside.ipv4}\nroute add default via ${addresses.outside.ipv6}\n`);
    const opened = async (name: string) => {
      const place = await openPlace(name);
      closers.push(() => place.close());
      return place;
    };
    const [host, outside, elsewhere] = await Promise.all([opened(''), opened('outside'), opened('elsewhere')]) as [Place, Place, Place];
    const server = startNameServer();
    closers.push(() => endChild(server));
    await writeFile(resolvConf, `nameserver ${addresses.outside.ipv4}\n`);
    await until('the outside name server', async () => (await host.resolve(addresses.outside.ipv4, outsideName)).length > 0);
    const guest: Lab['guest'] = async (bridge, name, options = {}) => {
      const opening = await openGuest(folder, bridge, name, options);
      closers.push(() => opening.close());
      return opening;
    };
    return { host, outside, elsewhere, folder, resolvConf, guest, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Refuses to work in the machine's own network. */
async function requireLab(): Promise<void> {
  const outsideOfLab = process.env['VNET_LAB_OUTSIDE'];
  if (outsideOfLab === undefined || outsideOfLab === await readlink('/proc/self/ns/net')) {
    throw new Error('this works in namespaces of its own: run it with node test/lab/enter.mjs COMMAND');
  }
}

/** Takes the folder, which only one lab can have. A lab whose process is gone has lost it. */
async function lock(): Promise<void> {
  await until('the lab that is open', async () => {
    try {
      await mkdir(folder, { mode: 0o755 });
    } catch {
      const owner = await readFile(`${folder}/pid`, 'utf8').catch(() => '');
      if (owner !== '' && !await exists(`/proc/${owner}`)) await rm(folder, { recursive: true, force: true });
      return false;
    }
    await writeFile(`${folder}/pid`, String(process.pid));
    return true;
  }, lockTimeoutMs);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

/** Lays a cable from the host to a namespace, with addresses at both ends and the namespace's way back. */
async function wire(name: 'outside' | 'elsewhere', uplink: 'up0' | 'up1'): Promise<void> {
  const near = addresses[uplink];
  const far = addresses[name];
  await runProgram('ip', ['-batch', '-'], `link add ${uplink} type veth peer name eth0 netns ${name}
addr add ${near.ipv4}/24 dev ${uplink}
addr add ${near.ipv6}/64 dev ${uplink} nodad
link set ${uplink} up
`);
  await runProgram('ip', ['-n', name, '-batch', '-'], `link set lo up
addr add ${far.ipv4}/24 dev eth0
addr add ${far.ipv6}/64 dev eth0 nodad
link set eth0 up
route add default via ${near.ipv4}
route add default via ${near.ipv6}
`);
}

function startNameServer(): ChildProcess {
  const [program, ...argv] = inNamespace('outside', 'dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--group=',
    '--pid-file=', '--no-resolv', '--no-hosts', `--address=/outside.test/${addresses.outside.ipv4}`, '--bind-interfaces', '--interface=eth0');
  return spawn(program, argv, { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function endChild(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
