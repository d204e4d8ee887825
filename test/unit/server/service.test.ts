/** What systemd says to the daemon, and what the daemon's units say to systemd. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { defaultConfig } from '../../../server/config.js';
import { parsePassedSockets, takePassedSockets } from '../../../server/service/activation.js';
import { parseWatchdog } from '../../../server/service/watchdog.js';

const run = promisify(execFile);
const units = new URL('../../../server/service', import.meta.url).pathname;
const analyze = await run('systemd-analyze', ['--version']).then(() => true, () => false);
const passing = (names: string, count: number, pid = 7) => ({ LISTEN_PID: String(pid), LISTEN_FDS: String(count), LISTEN_FDNAMES: names });

describe('passed sockets', () => {
  it('are known by their names', () => {
    expect([...parsePassedSockets(passing('tls:unix', 2), 7)]).toEqual([['tls', 3], ['unix', 4]]);
  });

  it('of another process are left alone', () => {
    expect(parsePassedSockets(passing('unix', 1, 8), 7).size).toBe(0);
    expect(parsePassedSockets({}, 7).size).toBe(0);
  });

  it.each([
    ['vnetd.socket', 1, /'vnetd.socket'.*one of unix, unix-readonly, tcp, tls/], ['', 1, /'unknown'/], ['unix', 2, /'unknown'/],
    ['tcp:tcp', 2, /two sockets named 'tcp'/], ['unix', Number.NaN, /LISTEN_FDS is 'NaN'/],
  ])('named %j, %d of them, are refused', (names, count, words) => {
    expect(() => parsePassedSockets(passing(names, count), 7)).toThrow(words);
  });

  it('are taken out of the environment, and open what the file does not', () => {
    const config = defaultConfig('/');
    const env = { ...passing('tls', 1), PATH: '/bin' };
    takePassedSockets(config, env, 7);
    expect(env).toEqual({ PATH: '/bin' });
    expect(config).toMatchObject({ tls: { enabled: true }, tcp: { enabled: false } });
  });

  it('do not open what the file forbids', () => {
    const config = defaultConfig('/');
    config.unix.readonly = false;
    expect(() => takePassedSockets(config, passing('unix-readonly', 1), 7)).toThrow(/disable --now vnetd-ro.socket/);
  });
});

describe('the watchdog', () => {
  it.each([
    [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 15_000], [{ WATCHDOG_USEC: '30000000' }, 15_000],
    [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, undefined], [{ WATCHDOG_USEC: 'x' }, undefined], [{}, undefined],
  ])('of %j wants to hear every %s ms', (env, ms) => {
    expect(parseWatchdog(env, 7)).toBe(ms);
  });
});

describe.skipIf(!analyze)('the units', () => {
  it('T33: expose less than 4.0', async () => {
    const { stdout } = await run('systemd-analyze', ['security', '--offline=true', '--no-pager', join(units, 'vnetd.service')]);
    const [, score] = /Overall exposure level for vnetd.service: ([\d.]+)/.exec(stdout) ?? [];
    expect(Number(score)).toBeGreaterThan(0);
    expect(Number(score)).toBeLessThan(4);
  });

  it('name their sockets as the daemon knows them', async () => {
    for (const [unit, name] of [['vnetd', 'unix'], ['vnetd-ro', 'unix-readonly'], ['vnetd-tcp', 'tcp'], ['vnetd-tls', 'tls']]) {
      expect(await readFile(join(units, `${unit}.socket`), 'utf8')).toContain(`\nFileDescriptorName=${name}\n`);
    }
  });
});
