/**
 * Lives here: sockets that systemd opened and passes to the daemon
 * (sd_listen_fds(3)): which they are. Does not know: what is said through them.
 */
import type { Config } from '../config.js';
import type { ListenerKind } from '../connections.js';

/** The descriptor of each way in that was passed. */
export type PassedSockets = ReadonlyMap<ListenerKind, number>;

/** The first passed descriptor: SD_LISTEN_FDS_START. */
const first = 3;
const kinds: readonly string[] = ['unix', 'unix-readonly', 'tcp', 'tls'] satisfies ListenerKind[];

/**
 * Reads what systemd says of the sockets it passes. None if it speaks to another process.
 *
 * @throws Error if a socket has a name that the daemon does not know, or two have one
 */
export function parsePassedSockets(env: NodeJS.ProcessEnv, pid: number): PassedSockets {
  const passed = new Map<ListenerKind, number>();
  if (env['LISTEN_PID'] !== String(pid)) return passed;
  const count = Number(env['LISTEN_FDS']);
  if (!Number.isInteger(count) || count < 0) throw new Error(`LISTEN_FDS is '${env['LISTEN_FDS']}'; it must be the number of passed sockets`);
  const names = (env['LISTEN_FDNAMES'] ?? '').split(':');
  for (let i = 0; i < count; i++) {
    const name = names[i] || 'unknown';
    if (!kinds.includes(name)) throw new Error(`a socket named '${name}' was passed; FileDescriptorName= in its unit must be one of ${kinds.join(', ')}`);
    if (passed.has(name as ListenerKind)) throw new Error(`two sockets named '${name}' were passed; there can be one`);
    passed.set(name as ListenerKind, first + i);
  }
  return passed;
}

/**
 * Takes the passed sockets into a configuration, and their words out of the
 * environment, so that no child takes them for its own. A passed tcp or tls
 * socket is served whether or not the file has it enabled: its unit is.
 *
 * @throws Error as `parsePassedSockets`, and if the file forbids one of them
 */
export function takePassedSockets(config: Config, env: NodeJS.ProcessEnv, pid: number): void {
  const passed = parsePassedSockets(env, pid);
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  if (passed.has('unix-readonly') && !config.unix.readonly) {
    throw new Error('unix.readonly is false, but systemd passes the read-only socket: systemctl disable --now vnetd-ro.socket');
  }
  config.passed = passed;
  if (passed.has('tcp')) config.tcp.enabled = true;
  if (passed.has('tls')) config.tls.enabled = true;
}
