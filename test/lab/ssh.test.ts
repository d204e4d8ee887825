/** vnet+ssh against a real sshd on loopback, and each way in which it can fail. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connect } from '../../client/connect.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { describeConformance } from '../conformance/suite.js';
import { dist, until } from '../processes.js';
import { openServing, type Serving } from '../serving.js';
import { freePort, noSshd, openSshd, type Sshd } from '../sshd.js';

// Each `vnet` over ssh is two programs that start, and a login.
vi.setConfig({ testTimeout: 60_000 });

/** At once, on a machine with much else to do: far from any deadline of a call or a login. In milliseconds. */
const atOnceMs = 10_000;

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
    const found: number[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (/^[^\0]*ssh\0/.test(line) && line.includes('ClearAllForwardings')) found.push(Number(pid));
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
    expect(performance.now() - started).toBeLessThan(atOnceMs);
    expect(await until('no ssh left', async () => (await carriers()).length === 0)).toBe(true);
    return error as NetworkError;
  };

  it('says that a key is not let in', async () => {
    expect(await failure(sshd.uri({ command, socket, keyfile: sshd.wrongKey }))).toMatchObject({
      code: ErrorCode.AUTH_FAILED, message: expect.stringMatching(/ssh was not let in at 'root@127.0.0.1:\d+': .*Permission denied \(publickey\)/), hint: expect.stringContaining('ssh-agent'),
    });
  });

  it('T19: says that a host is not known, and that its key has changed', async () => {
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

  it('says that there is no ssh here', async () => {
    const { code, err } = await vnet(['-c', uri(), 'list'], { ...environment, PATH: '/nonexistent' });
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/cannot find 'ssh' on this host\nhint: .*apt-get install openssh-client/) });
  });

  it('says that a shell on the far side prints something', async () => {
    const chatty = await openSshd('ForceCommand echo Welcome; eval "$SSH_ORIGINAL_COMMAND"\n');
    try {
      expect(await failure(chatty.uri({ command, socket }))).toMatchObject({ code: ErrorCode.RPC, message: expect.stringContaining('not vnet\'s protocol'), hint: expect.stringContaining('must print 0') });
    } finally {
      await chatty.close();
    }
  });

  it('tells the doctor\'s readers the same', async () => {
    const { code, out } = await vnet(['-c', sshd.uri({ command, socket, keyfile: sshd.wrongKey }), 'doctor', '-o', 'json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual([expect.objectContaining({ severity: 'error', check: 'daemon', message: expect.stringContaining('ssh was not let in'), advice: expect.stringContaining('ssh-agent') })]);
  });

  describe('with a configuration of ssh', () => {
    afterAll(() => sshd.configure(''));
    const account = () => `User root\n  IdentityFile ${sshd.key}\n  UserKnownHostsFile ${sshd.knownHosts}\n`;
    const host = (name: string, more = '') => `Host ${name}\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  ${account()}${more}`;
    const alias = (name: string) => `vnet+ssh://${name}/test?${new URLSearchParams({ command, socket }).toString()}`;
    const lists = expect.stringMatching(/default +active/);

    it('takes a host\'s alias and its jump host', async () => {
      await sshd.configure(host('near') + host('far', '  ProxyJump near\n'));
      const logged = sshd.log().length;
      expect(await vnet(['-c', alias('far'), 'list'])).toMatchObject({ code: 0, err: '', out: lists });
      expect(sshd.log().slice(logged).match(/Accepted publickey/g)).toHaveLength(2);
    });

    it('tells the jump host\'s refusal from the host\'s', async () => {
      await sshd.configure(host('near').replace(sshd.key, sshd.wrongKey) + host('far', '  ProxyJump near\n  BatchMode yes\n'));
      expect(await failure(alias('far'))).toMatchObject({ code: ErrorCode.AUTH_FAILED, message: expect.stringMatching(/Permission denied/) });
    });

    it('shares a connection, and leaves it to others', async () => {
      const control = join(sshd.folder, 'control');
      await sshd.configure(host('shared', `  ControlMaster auto\n  ControlPath ${control}\n  ControlPersist 30\n`));
      const logged = sshd.log().length;
      for (let i = 0; i < 3; i++) expect(await vnet(['-c', alias('shared'), 'list'])).toMatchObject({ code: 0, err: '', out: lists });
      expect(sshd.log().slice(logged).match(/Accepted publickey/g)).toHaveLength(1);
      execFileSync('/usr/bin/ssh', ['-F', 'none', '-o', `ControlPath=${control}`, '-O', 'exit', 'any'], { stdio: 'ignore' });
    });

    it('does not carry out what a configuration wants at a login', async () => {
      await sshd.configure(host('busy', `  RemoteCommand echo no\n  RequestTTY force\n  LocalForward ${sshd.port} localhost:1\n  ExitOnForwardFailure yes\n  PermitLocalCommand yes\n  LocalCommand touch ${sshd.folder}/touched\n`));
      expect(await vnet(['-c', alias('busy'), 'list'])).toMatchObject({ code: 0, err: '', out: lists });
      expect(await readdir(sshd.folder)).not.toContain('touched');
    });

    it('waits for a slow login longer than for a daemon', async () => {
      await sshd.configure(host('slow', `  ProxyCommand sh -c 'sleep 12; exec /usr/bin/ssh -F ${sshd.folder}/ssh_config -W 127.0.0.1:${sshd.port} near'\n`) + host('near'));
      expect(await vnet(['-c', alias('slow'), 'list'])).toMatchObject({ code: 0, out: lists });
      const started = performance.now();
      expect(await vnet(['-c', alias('slow'), '--timeout', '1', 'list'])).toMatchObject({ code: 8 });
      expect(performance.now() - started).toBeLessThan(atOnceMs);
      await until('no ssh left', async () => (await carriers()).length === 0);
    });

    it('lets ssh ask on the terminal', async () => {
      const key = join(sshd.folder, 'locked');
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'open sesame', '-f', key]);
      await writeFile(join(sshd.folder, 'authorized_keys'), await readFile(`${key}.pub`), { flag: 'a' });
      await sshd.configure(host('asks').replace(sshd.key, key));
      const line = [process.execPath, program, '-c', alias('asks'), 'list'].map((word) => `'${word}'`).join(' ');
      const child = spawn('script', ['-qec', line, '/dev/null'], { env: { ...environment, SSH_ASKPASS_REQUIRE: 'never' } });
      let out = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        out += text;
        if (text.includes('passphrase')) child.stdin.write('open sesame\n');
      });
      expect((await once(child, 'exit'))[0]).toBe(0);
      expect(out).toMatch(/Enter passphrase for key[^]*default/);
    });
  });

  it('says why there is no way back to a daemon once it was there, and finds it again', async () => {
    const { driver, close } = await connect(uri(), { timeoutMs: 1500 });
    await driver.numOfNetworks({});
    const keys = join(sshd.folder, 'authorized_keys');
    const before = await readFile(keys);
    await writeFile(keys, '');
    for (const pid of await carriers()) process.kill(pid);
    await expect(driver.numOfNetworks({})).rejects.toMatchObject({ code: ErrorCode.AUTH_FAILED, message: expect.stringContaining('ssh was not let in at') });
    await writeFile(keys, before);
    await until('it is back', () => driver.numOfNetworks({}).then(() => true));
    await close();
  });

  it('goes on with a watch when ssh was killed', async () => {
    const child = spawn(process.execPath, [program, '-c', uri(), 'watch', '-o', 'json'], { env: environment });
    let events = 0;
    child.stdout.setEncoding('utf8').on('data', (text: string) => { events += text.split('\n').length - 1; });
    const ended = once(child, 'exit');
    const local = await connect(serving.uris.unix);
    const { network } = await local.driver.networkLookupByName({ name: 'default' });
    let autostart = false;
    const event = async () => {
      const before = events;
      await until('an event', async () => {
        await local.driver.networkSetAutostart({ network, autostart: autostart = !autostart });
        return events > before;
      }, 20_000);
    };
    await event();
    const [first] = await carriers();
    process.kill(first!);
    await until('another ssh carries', async () => (await carriers()).some((pid) => pid !== first), 20_000);
    await event();
    await local.close();
    child.kill('SIGINT');
    expect((await ended)[0]).toBe(0);
    await until('no ssh left', async () => (await carriers()).length === 0);
  });

  it('leaves no socket that others could connect to, and nothing behind when it is killed', async () => {
    const child = spawn(process.execPath, [program, '-c', uri(), 'watch'], { env: environment });
    await until('ssh carries', async () => (await carriers()).length > 0);
    const links = await Promise.all((await readdir(`/proc/${child.pid}/fd`)).map((name) => readlink(`/proc/${child.pid}/fd/${name}`).catch(() => '')));
    expect(links.filter((link) => link.includes('vnet-ssh'))).toEqual([expect.stringContaining('(deleted)')]);
    expect((await readdir(tmpdir())).filter((name) => name.startsWith('vnet-ssh'))).toEqual([]);
    child.kill('SIGKILL');
    await until('no ssh left', async () => (await carriers()).length === 0);
  });

  it.each([
    'vnet+ssh://-oProxyCommand=touch%20TOUCHED/system', 'vnet+ssh://-oProxyCommand=touch$IFS"TOUCHED"@127.0.0.1/system', 'vnet+ssh://%2doProxyCommand=x/system', 'vnet+ssh://$(id)/system',
    'vnet+ssh://a%0a-oProxyCommand=x/system', 'vnet+ssh://127.0.0.1/system?command=vnet;touch%20TOUCHED', 'vnet+ssh://127.0.0.1/system?command=-x', 'vnet+ssh://127.0.0.1/system?socket=/x;touch%20TOUCHED',
    'vnet+ssh://127.0.0.1/system?socket=/x%20$(touch%20TOUCHED)', 'vnet+ssh://127.0.0.1/system?keyfile=-oProxyCommand=x', 'vnet+ssh://127.0.0.1/system?known_hosts=/x%22%20-oProxyCommand=x', 'vnet+ssh://127.0.0.1/system?no_verify=1',
  ])('T19: %s starts nothing', async (hostile) => {
    const trap = join(sshd.folder, 'trap');
    await mkdir(trap, { recursive: true });
    await writeFile(join(trap, 'ssh'), `#!/bin/sh\ntouch ${sshd.folder}/TOUCHED\n`);
    await chmod(join(trap, 'ssh'), 0o755);
    expect(await vnet(['-c', hostile.replaceAll('TOUCHED', `${sshd.folder}/TOUCHED`), 'list'], { ...environment, PATH: `${trap}:${process.env['PATH']}` })).toMatchObject({ code: 2, err: expect.stringContaining('invalid argument: URI') });
    expect(await readdir(sshd.folder)).not.toContain('TOUCHED');
  });

  it('T19: runs ssh with words, never a line', async () => {
    const trap = join(sshd.folder, 'words');
    await mkdir(trap, { recursive: true });
    await writeFile(join(trap, 'ssh'), `#!/bin/sh\nprintf '%s\\n' "$@" > ${trap}/argv\n`);
    await chmod(join(trap, 'ssh'), 0o755);
    await vnet(['-c', 'vnet+ssh://me@host7:2222/system?keyfile=/a%20key&known_hosts=/known%20hosts&no_tty=1&command=sudo%20-n%20vnet&socket=/run/v.sock', '-r', 'list'], { ...environment, PATH: `${trap}:${process.env['PATH']}` });
    expect((await readFile(join(trap, 'argv'), 'utf8')).trim().split('\n')).toEqual([
      '-T', '-x', '-o', 'ClearAllForwardings=yes', '-o', 'PermitLocalCommand=no', '-o', 'RemoteCommand=none', '-o', 'BatchMode=yes', '-p', '2222', '-l', 'me', '-i', '/a key',
      '-o', 'UserKnownHostsFile="/known hosts"', '--', 'host7', 'sudo', '-n', 'vnet', 'proxy', '-o', 'json', '--socket', '/run/v.sock', '--readonly',
    ]);
  });
});
