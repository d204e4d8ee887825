/** `vnet doctor`: what it prints, what it ends with, and what it does where no daemon answers. */
import { chmod, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { Severity, type Finding } from '../../../shared/gen/vnet/v1/network_driver.js';
import { openFolder } from '../../processes.js';
import { fakeDriver, fakeNetwork } from './fake-driver.js';
import { runVnet } from './run-vnet.js';

const lab = fakeNetwork('lab');
const good: Finding = { severity: Severity.OK, check: 'tools', network: undefined, message: 'all there', advice: '' };
const bad: Finding = { severity: Severity.ERROR, check: 'foreign-drop', network: lab.network, message: 'Docker \u001b[31m drops', advice: 'iptables -I DOCKER-USER -i virbr0 -j ACCEPT' };

function driverWith(findings: Finding[]) {
  const asked: unknown[] = [];
  const driver = { ...fakeDriver(lab), diagnose: async (request: object) => { asked.push(request); return { findings }; } };
  return { driver, asked };
}

describe('with a daemon', () => {
  it('prints a table with what to do below what was found, and fails for an error', async () => {
    const { driver, asked } = driverWith([bad, good]);
    const { code, out, err } = await runVnet(['doctor'], { driver });
    expect({ code, err, asked }).toEqual({ code: 1, err: '', asked: [{ network: undefined }] });
    expect(out.split('\n').map((line) => line.trimEnd())).toEqual([
      ' Severity   Check          Where   Finding', expect.stringMatching(/^-+$/),
      ' error      foreign-drop   lab     Docker \\x1b[31m drops', '                                   try: iptables -I DOCKER-USER -i virbr0 -j ACCEPT',
      ' ok         tools          host    all there', '', '',
    ]);
  });

  it('asks for one network, and a warning is no failure', async () => {
    const { driver, asked } = driverWith([{ ...bad, severity: Severity.WARNING }]);
    expect((await runVnet(['doctor', 'lab'], { driver })).code).toBe(0);
    expect(asked).toEqual([{ network: lab.network }]);
    expect(await runVnet(['doctor', 'lba'], { driver })).toMatchObject({ code: 3, out: expect.not.stringContaining('Severity'), err: expect.stringContaining("did you mean 'lab'?") });
  });

  it('says that the daemon does not let it ask', async () => {
    const refused = { ...fakeDriver(lab), diagnose: async () => { throw new NetworkError(ErrorCode.ACCESS_DENIED, 'connect.read'); } };
    const { code, out, err } = await runVnet(['doctor', '-o', 'json'], { driver: refused });
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(JSON.parse(out)).toEqual([expect.objectContaining({ severity: 'error', check: 'rights', message: expect.stringContaining('access denied: connect.read') })]);
    const broken = { ...refused, diagnose: async () => { throw new NetworkError(ErrorCode.INTERNAL_ERROR, 'x'); } };
    expect(await runVnet(['doctor'], { driver: broken })).toMatchObject({ code: 1, err: expect.stringContaining('Failed to diagnose') });
  });

  it('gives records', async () => {
    const { code, out } = await runVnet(['doctor', '-o', 'json'], driverWith([bad, good]));
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual([
      { severity: 'error', check: 'foreign-drop', network: 'lab', uuid: lab.network.uuid, message: bad.message, advice: bad.advice },
      { severity: 'ok', check: 'tools', network: null, uuid: null, message: 'all there', advice: null },
    ]);
  });
});

describe('without a daemon', () => {
  let folder: Awaited<ReturnType<typeof openFolder>>;
  beforeAll(async () => { folder = await openFolder(); });
  afterAll(() => folder.close());
  const refusal = new NetworkError(ErrorCode.RPC, 'nobody listens', { hint: 'start it' });
  const findings = async (uri: string) => {
    const { code, out, err } = await runVnet(['-c', uri, 'doctor', '-o', 'json'], { refusal });
    expect({ code, err }).toEqual({ code: 1, err: '' });
    return JSON.parse(out) as { check: string; severity: string; message: string; advice: string | null }[];
  };
  const socket = (path: string) => findings(`vnet+unix:///system?socket=${path}`);

  it('says so, and that there is no socket', async () => {
    const path = join(folder.path, 'none.sock');
    expect(await socket(path)).toEqual([
      expect.objectContaining({ check: 'daemon', severity: 'error', message: expect.stringContaining('nobody listens'), advice: 'start it' }),
      expect.objectContaining({ check: 'daemon-process' }),
      expect.objectContaining({ check: 'daemon-socket', severity: 'error', message: `there is no socket ${path}` }),
    ]);
  });

  it('tells a file from a socket, and whether it may be opened', async () => {
    const path = join(folder.path, 'some.sock');
    await writeFile(path, '');
    expect((await socket(path)).at(-1)).toMatchObject({ severity: 'error', message: `${path} is no socket` });
    const listening = join(folder.path, 'real.sock');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(listening, resolve));
    expect((await socket(listening)).at(-1)).toMatchObject({ severity: 'ok', message: `${listening} is there and may be opened` });
    await chmod(listening, 0);
    if (process.getuid?.() !== 0) expect((await socket(listening)).at(-1)).toMatchObject({ severity: 'error', advice: expect.stringContaining('usermod -aG vnet') });
    await new Promise((resolve) => server.close(resolve));
  });

  it('of another machine says that it does not answer, and how far one comes', async () => {
    expect(await findings('vnet+tcp://elsewhere.invalid/system')).toEqual([expect.objectContaining({ check: 'daemon', network: null }), expect.objectContaining({ check: 'name', severity: 'error' })]);
  });

  it('passes on what ssh says', async () => {
    expect(await findings('vnet+ssh://elsewhere/system')).toEqual([expect.objectContaining({ check: 'daemon', advice: 'start it' })]);
  });
});
