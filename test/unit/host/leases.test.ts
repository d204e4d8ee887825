/** dnsmasq's file of leases, as it is and as it may be found. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseLeases, readLeases } from '../../../server/host/leases.js';

const file = `1700000100 52:54:00:00:00:01 192.168.122.10 web 01:52:54:00:00:00:01
0 52:54:00:00:00:02 192.168.122.11 * *
1700000000 06-52:54:00:00:00:03 192.168.122.12 old *
duid 00:01:00:01:2d:aa:bb:cc:52:54:00:00:00:ff
1700000100 7342593 fd00::10 six 00:03:00:01:52:54:00:00:00:04
1700000100 T7342594 fd00::11 * 00:03:00:01:52:54:00:00:00:05
`;

describe('leases', () => {
  it('are read in both families, with what is not known left out', () => {
    expect(parseLeases(file)).toEqual([
      { expiry: 1700000100, family: 'ipv4', mac: '52:54:00:00:00:01', address: '192.168.122.10', hostname: 'web', clientId: '01:52:54:00:00:00:01' },
      { expiry: 0, family: 'ipv4', mac: '52:54:00:00:00:02', address: '192.168.122.11' },
      { expiry: 1700000000, family: 'ipv4', mac: '52:54:00:00:00:03', address: '192.168.122.12', hostname: 'old' },
      { expiry: 1700000100, family: 'ipv6', mac: '52:54:00:00:00:04', iaid: '7342593', address: 'fd00::10', hostname: 'six', clientId: '00:03:00:01:52:54:00:00:00:04' },
      { expiry: 1700000100, family: 'ipv6', mac: '52:54:00:00:00:05', iaid: '7342594', address: 'fd00::11', clientId: '00:03:00:01:52:54:00:00:00:05' },
    ]);
  });

  it('T26: are read as far as they are there: torn lines and what is no lease are passed over', () => {
    for (let length = 0; length <= file.length; length += 1) {
      const found = parseLeases(file.slice(0, length)).map(({ address }) => address);
      const whole = parseLeases(file).map(({ address }) => address);
      // A torn last field is not told from a whole one; the address is whole all the same.
      expect(whole.slice(0, found.length)).toEqual(found);
    }
    expect(parseLeases('x\n\0\0\0\n1 2 3 4\n1 2 3 4 5 6\n-1 52:54:00:00:00:01 192.168.122.10 a b\n1e9 52:54:00:00:00:01 192.168.122.10 a b\n9 aa 1.2.3.4.5 a b\n9 aa fd00::1 a b\n')).toEqual([]);
  });

  it('that have expired are hidden, those without end are not; no file is no leases', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vnet-leases-'));
    writeFileSync(join(folder, 'leases'), file);
    const read = async (now: number) => (await readLeases(join(folder, 'leases'), now)).map(({ address }) => address);
    expect(await read(1700000000)).toEqual(['192.168.122.10', '192.168.122.11', 'fd00::10', 'fd00::11']);
    expect(await read(1700000100)).toEqual(['192.168.122.11']);
    expect(await readLeases(join(folder, 'none'))).toEqual([]);
    rmSync(folder, { recursive: true });
  });
});
