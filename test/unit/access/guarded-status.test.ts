/** What a caller learns of the health of networks that it may see, and of those that it may not. */
import { expect, it } from 'vitest';
import { visibleStatus } from '../../../server/access/guarded-status.js';
import type { GetStatusResponse } from '../../../shared/gen/vnet/v1/network_driver.js';

const network = (name: string) => ({ name, uuid: `uuid-of-${name}` });
const status: GetStatusResponse = {
  networks: [
    {
      network: network('lab-a'), active: false,
      faults: [{ part: 'start', message: "10.0.0.0/24 overlaps network 'vault'", sinceMs: 1 }, { part: 'bridge', message: 'set down', sinceMs: 2 }],
      repairs: [{ part: 'bridge', what: 'bridge vault', timeMs: 3, count: 1 }],
    },
    { network: network('vault'), active: true, faults: [], repairs: [] },
  ],
  damagedFiles: [
    { path: '/etc/lab-b.xml', network: 'lab-b', message: "its network is named 'vault'", advice: 'mend it' },
    { path: '/etc/cellar.xml', network: 'cellar', message: 'half', advice: 'mend it' },
    { path: '/run/uuid-of-vault.json', network: '', message: 'half', advice: '' },
    { path: '/run/other.json', network: '', message: 'half', advice: '' },
  ],
};

it('hidden networks and their files are left out, and not named by what is told of others, which is told all the same', () => {
  const seen = visibleStatus(status, (name) => name.startsWith('lab-'), [network('vault')]);
  expect(JSON.stringify(seen)).not.toMatch(/vault|cellar/);
  expect(seen.networks).toMatchObject([{ network: network('lab-a'), faults: [{ part: 'start', sinceMs: 1 }, { part: 'bridge', message: 'set down' }], repairs: [{ count: 1 }] }]);
  expect(seen.damagedFiles.map(({ path }) => path)).toEqual(['/etc/lab-b.xml', '/run/other.json']);
});

it('who sees everything is told everything', () => {
  expect(visibleStatus(status, () => true, [])).toEqual(status);
});
