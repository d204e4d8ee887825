/** vnet+ssh against a real sshd on loopback, and each way in which it can fail. */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../client/connect.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { describeConformance } from '../conformance/suite.js';
import { dist, until } from '../processes.js';
import { openServing, type Serving } from '../serving.js';
import { freePort, noSshd, openSshd, type Sshd } from '../sshd.js';

const program = join(dist, 'client/cli/vnet.js');
const command = `${process.execPath} ${program}`;

describe.skipIf(noSshd !== undefined)(`over ssh${noSshd === undefined ? '' : ` (${noSshd})`}`, () => {
  let sshd: Sshd;
  let serving: Serving;
  let socket: string;
  let environment: NodeJS.ProcessEnv;
  beforeAll(async () => {
    [sshd, serving] = await Promise.all([openSshd(), openServing('test')]);
    socket = new URL(serving.uris.unix).searchParams.get('socket')!;
    environment = await sshd.configure('');
    // This process's own ssh must not read its account's configuration either.
    process.env['PATH'] = environment['PATH'];
  });
  afterAll(async () => {
    await serving?.close();
    await sshd?.close();
  });
  const uri = (parameters: Record<string, string> = {}) => sshd.uri({ command, socket, ...parameters });

  describeConformance('test driver over ssh', () => connect(uri()));

  /** Runs the program `vnet`. */
  const vnet = (argv: string[], env: NodeJS.ProcessEnv = environment) => new Promise<{ code: number; out: string; err: string }>((resolve) => {
    const child = execFile(process.execPath, [program, ...argv], { env }, (_, out, err) => resolve({ code: child.exitCode ?? -1, out, err }));
  });

  /** Processes of ssh that carry a socket. */
  const carriers = async () => {
    const found: string[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const line = await import('node:fs/promises').then(({ readFile }) => readFile(`/proc/${pid}/cmdline`, 'utf8')).catch(() => '');
      if (/^[^\0]*ssh\0/.test(line) && line.includes('ClearAllForwardings')) found.push(line.replaceAll('\0', ' '));
    }
    return found;
  };

  describe('the program vnet', () => {
    it('lists, starts, shows and stops', async () => {
      expect(await vnet(['-c', uri(), 'list', '--all'])).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/default +active/) });
      await vnet(['-c', uri(), 'stop', 'default']);
      expect(await vnet(['-c', uri(), 'start', 'default'])).toMatchObject({ code: 0, err: '', out: expect.stringContaining('Network default started') });
      expect(await vnet(['-c', uri(), 'dumpxml', 'default'])).toMatchObject({ code: 0, out: expect.stringContaining('<name>default</name>') });
      await until('no ssh left', async () => (await carriers()).length === 0);
    });

    it('is refused changes by the read-only socket', async () => {
      const readonly = new URL(serving.uris.readonly).searchParams.get('socket')!;
      expect(await vnet(['-c', uri({ socket: readonly }), 'stop', 'default'])).toMatchObject({ code: 5, err: expect.stringContaining('read only') });
    });
  });

  /** The error of an attempt, and that it came at once. */
  const failure = async (where: string): Promise<NetworkError> => {
    const started = performance.now();
    const error: unknown = await connect(where).then(async (connection) => { await connection.close(); }, (reason: unknown) => reason);
    expect(error).toBeInstanceOf(NetworkError);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(await until('no ssh left', async () => (await carriers()).length === 0)).toBe(true);
    return error as NetworkError;
  };

  it('says that a key is not let in', async () => {
    expect(await failure(sshd.uri({ command, socket, keyfile: sshd.wrongKey }))).toMatchObject({
      code: ErrorCode.AUTH_FAILED, message: expect.stringMatching(/ssh was not let in at 'root@127.0.0.1:\d+': .*Permission denied \(publickey\)/), hint: expect.stringContaining('ssh-agent'),
    });
  });

  it('says that a host is not known, and that its key has changed', async () => {
    expect(await failure(uri({ known_hosts: '/dev/null' }))).toMatchObject({ code: ErrorCode.AUTH_FAILED, message: expect.stringContaining('is not known'), hint: expect.stringMatching(/by hand.*ssh -p/) });
    expect(await failure(uri({ known_hosts: sshd.changedHosts }))).toMatchObject({ code: ErrorCode.AUTH_FAILED, message: expect.stringContaining('has changed'), hint: expect.stringContaining(`ssh-keygen -R '[127.0.0.1]:${sshd.port}'`) });
  });

  it('says that nobody listens, and that there is no such host', async () => {
    const port = await freePort();
    expect(await failure(uri().replace(`:${sshd.port}`, `:${port}`))).toMatchObject({ code: ErrorCode.RPC, message: expect.stringContaining('Connection refused'), hint: expect.stringContaining(`-p ${port}`) });
    expect(await failure(uri().replace(`127.0.0.1:${sshd.port}`, 'no-such-host.invalid'))).toMatchObject({ code: ErrorCode.RPC, message: expect.stringContaining('resolve'), hint: expect.stringContaining('no-such-host.invalid') });
  });

  it('says that the program is missing on the far side', async () => {
    expect(await failure(uri({ command: 'no-such-vnet' }))).toMatchObject({ code: ErrorCode.RPC, message: expect.stringMatching(/'no-such-vnet' cannot be run on .*not found/), hint: expect.stringContaining('?command=') });
  });

  it('says, with the far side\'s own words, that the daemon is down there', async () => {
    const nobody = join(sshd.folder, 'none.sock');
    expect(await failure(uri({ socket: nobody }))).toMatchObject({ code: ErrorCode.RPC, message: `Failed to connect socket to '${nobody}': No such file or directory`, hint: expect.stringContaining('systemctl start vnetd') });
  });

  it('says that something else speaks there', async () => {
    expect(await failure(uri({ command: 'echo hello' }))).toMatchObject({ code: ErrorCode.RPC, message: expect.stringContaining('not vnet\'s protocol'), hint: expect.stringContaining('wc -c') });
  });
});
