/**
 * Lives here: an sshd of a test's own: its configuration, host key, port and
 * the keys it lets in; and an `ssh` that knows nothing but the test's
 * configuration. Needs root, and a /run and mounts of its own, as in a lab. Does not know:
 * what is carried.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { openFolder, until } from './processes.js';

const [program, client] = ['/usr/sbin/sshd', '/usr/bin/ssh'];

/** Why there can be no sshd here; undefined if there can. */
export const noSshd = !existsSync(program) ? 'openssh-server is not installed'
  : !existsSync(client) ? 'openssh-client is not installed'
    : process.env['VNET_LAB_OUTSIDE'] === undefined ? 'not in a lab'
      : Number(readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/)[2]) < 65_536 ? 'sshd needs accounts, which there are none of in a lab without root' : undefined;

/** An sshd that runs. */
export interface Sshd {
  port: number;
  folder: string;
  /** The private key that is let in, and one that is not. */
  key: string;
  wrongKey: string;
  /** Where the host's key is known, and a file that knows another for the same place. */
  knownHosts: string;
  changedHosts: string;
  /** What it has logged. */
  log(): string;
  /** A URI for this account. */
  uri(parameters: Record<string, string>, options?: { keyless?: boolean; path?: string }): string;
  /** Writes the configuration of ssh; gives the environment in which only that counts. */
  configure(text: string): Promise<NodeJS.ProcessEnv>;
  close(): Promise<void>;
}

/**
 * Starts an sshd on a free port of 127.0.0.1.
 *
 * @param more further lines of its configuration
 */
export async function openSshd(more = ''): Promise<Sshd> {
  const folder = await openFolder();
  const at = (name: string) => join(folder.path, name);
  for (const name of ['host', 'other-host', 'key', 'wrong-key']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  const port = await freePort();
  await copyFile(at('key.pub'), at('authorized_keys'));
  await writeFile(at('sshd_config'), `Port ${port}
ListenAddress 127.0.0.1
HostKey ${at('host')}
PidFile none
AuthorizedKeysFile ${at('authorized_keys')}
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
${more}`);
  for (const [file, key] of [['known_hosts', 'host'], ['changed_hosts', 'other-host']] as const) {
    await writeFile(at(file), `[127.0.0.1]:${port} ${await readFile(at(`${key}.pub`), 'utf8')}`);
  }
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  // bash would read this account's start-up files, which are none of the test's business. The lab has mounts of its own.
  await writeFile(at('passwd'), (await readFile('/etc/passwd', 'utf8')).replace(/^(root:.*:)[^:]*$/m, '$1/bin/sh'));
  execFileSync('mount', ['--bind', at('passwd'), '/etc/passwd']);
  const child = spawn(program, ['-D', '-e', '-f', at('sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => { log += text; });
  await until('sshd listens', async () => child.exitCode === null && log.includes('Server listening') || (child.exitCode !== null && Promise.reject(new Error(log))));
  await mkdir(at('bin'));
  await writeFile(at('ssh_config'), '');
  await writeFile(at('bin/ssh'), `#!/bin/sh\nexec ${client} -F ${at('ssh_config')} "$@"\n`);
  await chmod(at('bin/ssh'), 0o755);
  return {
    port, folder: folder.path, key: at('key'), wrongKey: at('wrong-key'), knownHosts: at('known_hosts'), changedHosts: at('changed_hosts'),
    log: () => log,
    uri: (parameters, { keyless = false, path = 'test' } = {}) => {
      const query = new URLSearchParams({ ...(keyless ? {} : { keyfile: at('key') }), known_hosts: at('known_hosts'), no_tty: '1', ...parameters });
      return `vnet+ssh://${userInfo().username}@127.0.0.1:${port}/${path}?${query.toString()}`;
    },
    configure: async (text) => {
      await writeFile(at('ssh_config'), text);
      return { ...process.env, PATH: `${at('bin')}:${process.env['PATH']}` };
    },
    close: async () => {
      child.kill();
      execFileSync('umount', ['/etc/passwd']);
      await folder.close();
    },
  };
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
