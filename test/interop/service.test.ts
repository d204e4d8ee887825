/** The built daemon as systemd runs it: with sockets that somebody else opened, and a watchdog. */
import { execFile, spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { openConnection } from '../../client/connection.js';
import { openFolder, startDaemon, until } from '../processes.js';
import { openServing } from '../serving.js';

const run = promisify(execFile);
const python = await run('python3', ['-V']).then(() => true, () => false);
const notify = await run('systemd-notify', ['--version']).then(() => python, () => false);

/** Opens every socket as systemd does, keeps their inodes in a file, and becomes the program that its arguments name. */
const pass = `
import os, socket, sys
root = sys.argv[sys.argv.index('--root') + 1]
os.makedirs(root + '/run/vnet')
sockets = []
for name in ('vnet.sock', 'vnet-ro.sock', None, None):
    one = socket.socket(socket.AF_UNIX if name else socket.AF_INET)
    one.bind(root + '/run/vnet/' + name if name else ('127.0.0.1', 0))
    one.listen(100)
    sockets.append(os.fdopen(os.dup2(one.fileno(), 50 + len(sockets)), 'rb', 0, closefd=False).fileno())
    with open(root + '/ports', 'a') as ports: ports.write('%s\\n' % (one.getsockname()[1] if not name else 0))
for i, fd in enumerate(sockets): os.dup2(fd, 3 + i, inheritable=True)
os.chmod(root + '/run/vnet/vnet.sock', 0o600)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='4', LISTEN_FDNAMES='unix:unix-readonly:tcp:tls')
os.execv(sys.argv[1], sys.argv[1:])
`;

it.skipIf(!python)('T23: serves every socket that it is passed, as it is, and leaves it', async () => {
  const serving = await openServing('test', { command: ['python3', '-c', pass, process.execPath] });
  const path = join(serving.root, 'run/vnet/vnet.sock');
  try {
    const [, , tcp, tls] = (await readFile(join(serving.root, 'ports'), 'utf8')).split('\n');
    expect(serving.uris.tcp).toContain(`:${tcp}/`);
    expect(serving.uris.tls).toContain(`:${tls}/`);
    for (const uri of Object.values(serving.uris)) {
      const connection = await openConnection(uri);
      expect((await connection.listAllNetworks({})).length).toBeGreaterThan(0);
      await connection.close();
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await serving.daemon.stop()).toBe(0);
    expect((await stat(path)).isSocket()).toBe(true);
    expect((await stat(join(serving.root, 'run/vnet/vnet-ro.sock'))).isSocket()).toBe(true);
  } finally {
    await serving.close();
  }
});

/** A stand-in for systemd: prints every message that comes to its socket. */
const listen = `
import socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
print('listening')
while True: print(server.recv(4096).decode())
`;

it.skipIf(!notify)('pets the watchdog again and again', async () => {
  const folder = await openFolder();
  const socket = join(folder.path, 'notify');
  const listener = spawn('python3', ['-u', '-c', listen, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  let heard = '';
  listener.stdout.setEncoding('utf8').on('data', (text: string) => { heard += text; });
  try {
    await until('the listener', async () => heard.includes('listening'));
    const daemon = await startDaemon(['--root', folder.path, '--driver', 'test'], ['env', `NOTIFY_SOCKET=${socket}`, 'WATCHDOG_USEC=400000', process.execPath]);
    await until('three pings', async () => heard.split('WATCHDOG=1').length > 3);
    daemon.process.kill('SIGHUP');
    await until('the word of a reload', async () => heard.includes('STATUS=serving; the configuration was read again'));
    expect(await daemon.stop()).toBe(0);
    await until('STOPPING=1', async () => heard.includes('STOPPING=1'));
    expect(heard.indexOf('READY=1')).toBeLessThan(heard.indexOf('WATCHDOG=1'));
  } finally {
    listener.kill();
    await folder.close();
  }
});
