/** Rules that cannot be applied again are told once, and so is that they are there again. */
import { afterEach, expect, it } from 'vitest';
import type { HostEvent, NetworkPlan } from '../../../server/driver/host.js';
import type { Commands } from '../../../server/host/command.js';
import type { Firewall } from '../../../server/host/firewall/firewall.js';
import { openWatch, type Watch } from '../../../server/host/firewall/watch.js';
import { silentLog } from '../../../server/log.js';
import { parseNetwork } from '../../../shared/definition/index.js';
import { until } from '../../processes.js';

const plan = (name: string): NetworkPlan => ({
  uuid: name, name, bridge: name, definition: parseNetwork(`<network><name>${name}</name><bridge name='${name}'/><ip address='10.7.0.1' prefix='24'/></network>`, { validate: false }).definition,
});
let watch: Watch;
afterEach(() => watch.close());

it('one network is repaired, one is degraded until its rules are there', async () => {
  const told: HostEvent[] = [];
  const missing = new Set(['b']);
  let broken = true;
  const firewall = {
    notice: async () => ({ everyMs: 50 }),
    present: async (plans: readonly NetworkPlan[]) => plans.map(({ uuid }) => !missing.has(uuid)),
    apply: async (plans: readonly NetworkPlan[]) => {
      if (broken) throw new Error('nft: no');
      for (const { uuid } of plans) missing.delete(uuid);
    },
  } as unknown as Firewall;
  watch = openWatch(firewall, {} as Commands, silentLog, (event) => told.push(event));
  for (const name of ['a', 'b']) watch.guard(plan(name));
  await until('the failure', async () => told.length > 0);
  expect(told).toEqual([{ kind: 'failed', network: 'b', part: 'firewall', what: 'firewall rules are missing and cannot be applied again: nft: no' }]);
  // Somebody else has put them back.
  missing.delete('b');
  await until('the recovery', async () => told.length > 1);
  expect(told[1]).toEqual({ kind: 'recovered', network: 'b', part: 'firewall', what: expect.stringMatching(/in place again/) });
  missing.add('a');
  await until('the next failure', async () => told.length > 2);
  broken = false;
  await until('the repair', async () => told.length > 3);
  expect(told.slice(2)).toEqual([expect.objectContaining({ kind: 'failed', network: 'a' }), { kind: 'repaired', network: 'a', part: 'firewall', what: 'firewall rules' }]);
}, 40_000);
