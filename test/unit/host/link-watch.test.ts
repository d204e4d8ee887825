/** A bridge that another program alters over and over is in trouble until it has stood for a minute. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { HostEvent, NetworkPlan } from '../../../server/driver/host.js';
import type { Commands } from '../../../server/host/command.js';
import { renderAlias } from '../../../server/host/link.js';
import { openLinkWatch, type LinkWatch } from '../../../server/host/link-watch.js';
import { silentLog } from '../../../server/log.js';
import { parseNetwork } from '../../../shared/definition/index.js';

const definition = parseNetwork("<network><name>lab</name><bridge name='lab0'/></network>", { validate: false }).definition;
const plan: NetworkPlan = { uuid: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a001', name: 'lab', bridge: 'lab0', definition };
let up: boolean;
let say: (line: string) => void;
let told: HostEvent[];
let watch: LinkWatch;

const commands = {
  read: async () => JSON.stringify([{ ifname: 'lab0', ifalias: renderAlias(plan), flags: up ? ['UP'] : [], addr_info: [] }]),
  run: async () => { up = true; },
  follow: async (_: string, __: readonly string[], onLine: (line: string) => void) => {
    say = onLine;
    let end = (_words: string) => {};
    return { ended: new Promise<string>((resolve) => { end = resolve; }), close: () => end('closed') };
  },
} as unknown as Commands;

beforeEach(() => {
  vi.useFakeTimers();
  [up, told] = [true, []];
  watch = openLinkWatch({ commands, tell: (event) => told.push(event), log: silentLog, restoreForwarding: async () => [] });
});
afterEach(async () => {
  await watch.close();
  vi.useRealTimers();
});

async function setDown(): Promise<void> {
  up = false;
  say('5: lab0: <BROADCAST,MULTICAST> mtu 1500 state DOWN');
  await vi.advanceTimersByTimeAsync(1500);
}

it('it is told once, repairs say that it goes on, and that it is over', async () => {
  watch.guard(plan);
  await vi.advanceTimersByTimeAsync(2000);
  for (let times = 0; times < 5; times += 1) await setDown();
  expect(told.map(({ kind }) => kind)).toEqual(['repaired', 'repaired', 'repaired', 'repaired', 'repaired', 'failed']);
  expect(told.at(-1)).toMatchObject({ network: plan.uuid, part: 'bridge', what: expect.stringMatching(/^bridge lab0: set down: .*over and over/) });
  await setDown();
  expect(told.at(-1)).toMatchObject({ kind: 'repaired', part: 'bridge', still: expect.stringMatching(/over and over/) });
  await vi.advanceTimersByTimeAsync(50_000);
  expect(told).toHaveLength(7);
  // Nothing is heard meanwhile.
  await vi.advanceTimersByTimeAsync(20_000);
  expect(told.slice(7)).toEqual([{ kind: 'recovered', network: plan.uuid, part: 'bridge', what: 'healthy again: bridge lab0 stays as it should be' }]);
  await setDown();
  expect(told.at(-1)).toEqual({ kind: 'repaired', network: plan.uuid, part: 'bridge', what: 'bridge lab0: set down' });
});

it('it is over when the network was changed and its bridge is as it should be', async () => {
  watch.guard(plan);
  await vi.advanceTimersByTimeAsync(2000);
  for (let times = 0; times < 5; times += 1) await setDown();
  await watch.release(plan);
  watch.guardAgain(plan);
  await vi.advanceTimersByTimeAsync(1500);
  expect(told.at(-1)).toMatchObject({ kind: 'recovered', part: 'bridge' });
});
