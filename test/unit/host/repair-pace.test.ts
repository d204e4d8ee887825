/** What is undone over and over is repaired ever more rarely, and that is said once. */
import { expect, it } from 'vitest';
import { openRepairPace } from '../../../server/host/repair-pace.js';

it('F11: five repairs in a minute are made at once, and each after them waits twice as long as the one before, a minute at most', () => {
  let nowMs = 1000;
  const pace = openRepairPace(() => nowMs);
  const news = [1, 2, 3, 4, 5].map(() => [pace.waitMs(), pace.repaired()]);
  expect(news).toEqual([[0, false], [0, false], [0, false], [0, false], [0, true]]);
  const waits = [];
  for (let i = 0; i < 8; i += 1) {
    waits.push(pace.waitMs());
    nowMs += pace.waitMs();
    expect(pace.repaired()).toBe(false);
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
});

it('F11: what stood for a minute is repaired at once again, and trouble is told anew', () => {
  let nowMs = 0;
  const pace = openRepairPace(() => nowMs);
  for (let i = 0; i < 5; i += 1) pace.repaired();
  expect(pace.troubledForMs()).toBe(61_000);
  nowMs += pace.waitMs() + 59_000;
  expect(pace.troubledForMs()).toBe(1000);
  nowMs += 1000;
  expect(pace.troubledForMs()).toBe(0);
  expect([1, 2, 3, 4, 5].map(() => pace.repaired())).toEqual([false, false, false, false, true]);
});

it('F11: repairs that are far apart never wait', () => {
  let nowMs = 0;
  const pace = openRepairPace(() => nowMs);
  for (let i = 0; i < 20; i += 1, nowMs += 20_000) expect([pace.waitMs(), pace.repaired()]).toEqual([0, false]);
});
