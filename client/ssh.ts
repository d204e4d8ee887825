/**
 * Lives here: a daemon's unix socket on another host, carried by the system's
 * own ssh: its configuration, agent, known hosts, jump hosts and shared
 * connections are the user's. Does not know: gRPC.
 *
 * What connects here finds a unix socket that has no name in any folder, only
 * in this process. Each connection to it becomes the standard input and output
 * of an ssh, which runs `vnet proxy` on the far side.
 */
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ErrorCode, NetworkError } from '../shared/errors.js';
import type { SshUri } from '../shared/uri.js';
import { locate, startOnSocket, type Running } from './program.js';
import { explainNoise, explainSshEnd, placeOf, type SshEnd } from './ssh-failure.js';

/** A way to a socket on another host. */
export interface Tunnel {
  /** Where this process, and no other, connects. */
  socket: string;
  /** Where it leads, for messages. */
  place: string;
  /** The error behind one that a call was met with, if the last ssh has ended and says more. */
  explain(error: NetworkError): Promise<NetworkError>;
  /** Gives up: ends every ssh. @returns the error behind the one that was met, once ssh has had its say */
  fail(error: unknown): Promise<unknown>;
  /** Takes no more connections. Those that are there end with their other ends. */
  close(): void;
}

/** Linux's O_PATH, which Node does not name: a file's place, without opening it. The same number on everything that Node runs on. */
const O_PATH = 0o10000000;

/** How long an ssh whose connection is over may take to say why, in milliseconds. */
const lastWordsMs = 2_000;

/** How long ssh may take with all that a person types, in milliseconds: as long as sshd waits for it. */
export const loginTimeoutMs = 120_000;

/**
 * Opens a tunnel. Nothing is started before the first connection.
 *
 * @throws {NetworkError} SYSTEM_ERROR if ssh is not installed
 */
export async function openTunnel(uri: SshUri, readonly: boolean): Promise<Tunnel> {
  const [path, argv] = [await locate('ssh'), renderSsh(uri, readonly)];
  const running = new Set<Running>();
  let latest: Running | undefined;
  let closed = false;
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket: Socket) => {
    const ssh = latest = startOnSocket(path, argv, socket);
    running.add(ssh);
    void ssh.ended.then(() => running.delete(ssh));
  });
  const { socket, forget } = await listenNameless(server);
  return {
    socket,
    place: placeOf(uri),
    explain: async (error) => {
      const end = latest === undefined ? undefined : await lastWords(latest);
      return end === undefined || end.code === 0 ? error : explainSshEnd(uri, end);
    },
    fail: async (error) => {
      server.close();
      const reason = latest === undefined ? error : await explain(uri, latest, error);
      for (const ssh of running) ssh.kill();
      return reason;
    },
    close: () => {
      if (closed) return;
      closed = true;
      server.close();
      forget();
      // Its input has ended, so will it. It may be the way of others, too (ControlMaster): it is not ended for them.
      for (const ssh of running) ssh.unref();
    },
  };
}

/** The words after `ssh`. What could be taken for something else was refused with the URI. */
export function renderSsh(uri: SshUri, readonly: boolean): string[] {
  const { host, user, port, keyfile, knownHosts, noTty, command, socket } = uri;
  return [
    // Only the way there: what else a person's configuration does at a login is not wanted, and would fail or clash.
    '-T', '-x', '-o', 'ClearAllForwardings=yes', '-o', 'PermitLocalCommand=no', '-o', 'RemoteCommand=none',
    ...(noTty ? ['-o', 'BatchMode=yes'] : []),
    ...(port === undefined ? [] : ['-p', String(port)]),
    ...(user === undefined ? [] : ['-l', user]),
    ...(keyfile === undefined ? [] : ['-i', keyfile]),
    ...(knownHosts === undefined ? [] : ['-o', `UserKnownHostsFile="${knownHosts}"`]),
    '--', host,
    ...command, 'proxy', '-o', 'json', ...(socket === undefined ? [] : ['--socket', socket]), ...(readonly ? ['--readonly'] : []),
  ];
}

/** Why the connection failed, from the ssh that should have carried it. */
async function explain(uri: SshUri, ssh: Running, error: unknown): Promise<unknown> {
  if (!(error instanceof NetworkError) || error.code !== ErrorCode.RPC) return error;
  const end = await lastWords(ssh);
  return end === undefined || end.code === 0 ? explainNoise(uri, error.message) : explainSshEnd(uri, end);
}

/** How an ssh whose connection is over has ended; undefined if it has not. */
function lastWords(ssh: Running): Promise<SshEnd | undefined> {
  return Promise.race([ssh.ended, new Promise<undefined>((resolve) => { setTimeout(resolve, lastWordsMs, undefined).unref(); })]);
}

/** Listens on a unix socket that is in no folder once it is open: nobody else can connect, and nothing is left, however this process ends. */
async function listenNameless(server: Server): Promise<{ socket: string; forget(): void }> {
  const folder = await mkdtemp(join(tmpdir(), 'vnet-ssh-'));
  try {
    const path = join(folder, 'socket');
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(path, resolve);
    });
    server.unref();
    const file = openSync(path, O_PATH | constants.O_NOFOLLOW);
    return { socket: `/proc/self/fd/${file}`, forget: () => closeSync(file) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
