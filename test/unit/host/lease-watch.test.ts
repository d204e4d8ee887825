/** What happens to leases, from a file that is written as dnsmasq does, and worse. */
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostEvent } from '../../../server/driver/host.js';
import { compareLeases, openLeaseWatch, type LeaseWatch } from '../../../server/host/lease-watch.js';
import { parseLeases, parseServerDuid } from '../../../server/host/leases.js';
import { renderRelease, renderReleaseV6 } from '../../../server/host/release.js';
import { silentLog } from '../../../server/log.js';
import { until } from '../../processes.js';

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
const line = (n: number, expiry: number, name = '*', mac = `52:54:00:00:00:${String(n).padStart(2, '0')}`) => `${expiry} ${mac} 10.0.0.${n} ${name} *\n`;

let folder: string;
let watch: LeaseWatch;
let told: string[];
const tell = (event: HostEvent) => { if (event.kind === 'lease') told.push(`${event.network} ${event.change} ${event.lease.address}`); };
const path = () => join(folder, 'a.leases');
const write = (text: string, name = 'a') => writeFile(join(folder, `${name}.leases`), text);
const settled = (count: number) => until(`${count} events`, async () => told.length >= count, 3000);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vnet-leases-'));
  told = [];
  watch = openLeaseWatch(folder, tell, silentLog);
});
afterEach(async () => {
  watch.close();
  await rm(folder, { recursive: true });
});

describe('a file that is followed', () => {
  it('tells what is new, longer, under another name, and given back; what was in it is known', async () => {
    const expiry = inSeconds(1000);
    await write(line(1, expiry));
    await watch.follow('a', path());
    await write(line(1, expiry) + line(2, expiry));
    await settled(1);
    await write(line(1, expiry + 5) + line(2, expiry, 'web'));
    await settled(3);
    await write(line(2, expiry, 'web') + line(3, 0));
    await settled(5);
    expect(told).toEqual(['a added 10.0.0.2', 'a renewed 10.0.0.1', 'a renewed 10.0.0.2', 'a added 10.0.0.3', 'a released 10.0.0.1']);
  });

  it('tells of a lease whose time is over within a second of that, though nobody touches the file', async () => {
    await watch.follow('a', path());
    const over = inSeconds(2);
    await write(line(1, over) + line(2, inSeconds(60)));
    await settled(3);
    expect(told).toEqual(['a added 10.0.0.1', 'a added 10.0.0.2', 'a expired 10.0.0.1']);
    expect(Date.now() - over * 1000).toBeGreaterThanOrEqual(0);
    expect(Date.now() - over * 1000).toBeLessThan(1000);
    await write(line(2, inSeconds(60)));
    await write(line(1, inSeconds(60)) + line(2, inSeconds(60)));
    await until('the lease anew', async () => told.includes('a added 10.0.0.1') && told.lastIndexOf('a added 10.0.0.1') > 2);
  });

  it('that is found torn, at whatever place, tells nothing that is not so', async () => {
    const whole = [1, 2, 3, 4, 5].map((n) => line(n, 0)).join('');
    await write(whole);
    await watch.follow('a', path());
    for (const length of [0, 10, 40, 60, 120, whole.length - 1]) {
      await truncate(path(), 0);
      await write(whole.slice(0, length));
      // As long as dnsmasq may be held up in the middle of it.
      await new Promise((resolve) => setTimeout(resolve, 60));
      await write(whole);
    }
    await write(whole + line(6, 0));
    await settled(1);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(told).toEqual(['a added 10.0.0.6']);
  });

  it('that is emptied for good has lost its leases', async () => {
    await write(line(1, 0));
    await watch.follow('a', path());
    await write('');
    await settled(1);
    expect(told).toEqual(['a released 10.0.0.1']);
  });

  it('is told apart from others, and not followed any more when asked', async () => {
    await Promise.all([watch.follow('a', path()), watch.follow('b', join(folder, 'b.leases'))]);
    await write(line(1, 0));
    await settled(1);
    watch.unfollow('a');
    await write('');
    await write(line(2, 0), 'b');
    await settled(2);
    expect(told).toEqual(['a added 10.0.0.1', 'b added 10.0.0.2']);
    expect([watch.follows('a'), watch.follows('b')]).toEqual([false, true]);
  });
});

it('an address that another client has is given back and given out', () => {
  const [before, after] = [parseLeases(line(1, 0)), parseLeases(line(1, 0, '*', '52:54:00:00:00:99'))];
  expect(compareLeases(new Map(before.map((lease) => [lease.address, lease])), after, 100)).toEqual({
    changes: [{ change: 'released', lease: before[0] }, { change: 'added', lease: after[0] }], missing: [],
  });
});

describe('a message that gives a lease back', () => {
  it('is RFC 2131\'s', () => {
    const message = renderRelease({ expiry: 0, family: 'ipv4', address: '10.0.0.7', mac: '52:54:00:00:00:07', clientId: '01:aa' }, '10.0.0.1');
    expect(message.length).toBe(300);
    expect(message.subarray(0, 4).toString('hex')).toBe('01010600');
    expect(message.subarray(8, 34).toString('hex')).toBe(`00000000${'0a000007'}${'00'.repeat(12)}525400000007`);
    expect(message.subarray(236, 260).toString('hex')).toBe('638253633501073604' + '0a000001' + '3d0201aa' + 'ff' + '000000000000');
    expect(() => renderRelease({ expiry: 0, family: 'ipv4', address: '10.0.0.7' }, '10.0.0.1')).toThrow(/no MAC address/);
  });

  it('is RFC 8415\'s', () => {
    const duid = parseServerDuid('1 2 3 4 5\nduid 00:01:02\n');
    const message = renderReleaseV6({ expiry: 0, family: 'ipv6', address: 'fd00::7', iaid: '258', clientId: '00:03:00:01' }, duid!);
    expect(message[0]).toBe(8);
    expect(message.subarray(4).toString('hex')).toBe('00010004' + '00030001' + '00020003' + '000102' + '00080002' + '0000' +
      '00030028' + '00000102' + '00'.repeat(8) + '00050018' + 'fd00' + '00'.repeat(13) + '07' + '00'.repeat(8));
    expect(() => renderReleaseV6({ expiry: 0, family: 'ipv6', address: 'fd00::7', iaid: '1', clientId: 'x' }, '00')).toThrow(/no client identifier/);
  });
});
