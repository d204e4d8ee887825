/** Staying awake for what comes soon, and only for that. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Wakeful } from '../../../shared/session/wakeful.js';

let turns: number;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  turns = 0;
  const next = globalThis.setImmediate;
  vi.spyOn(globalThis, 'setImmediate').mockImplementation(((work: () => void) => next(() => { turns += 1; work(); })) as typeof setImmediate);
});
afterEach(() => { vi.restoreAllMocks(); vi.useRealTimers(); });

/** Lets the event loop turn until nothing keeps it awake, each turn taking so long, in milliseconds. */
async function turnUntilAsleep(stepMs: number): Promise<number> {
  const before = turns;
  for (let last = -1; last !== turns;) {
    last = turns;
    vi.advanceTimersByTime(stepMs);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return turns - before;
}

function answerAfter(wakeful: Wakeful, ms: number): void {
  wakeful.expect();
  vi.advanceTimersByTime(ms);
  wakeful.came();
}

it('begins when something has come soon, and ends when it does not', async () => {
  const wakeful = new Wakeful(true);
  wakeful.expect();
  expect(await turnUntilAsleep(1)).toBe(0);
  wakeful.came();
  answerAfter(wakeful, 0.1);
  await turnUntilAsleep(1);
  // The last one was soon: for this one it is awake, a quarter of a millisecond and no longer.
  wakeful.expect();
  expect(await turnUntilAsleep(0.1)).toBeGreaterThan(0);
  // And once that was in vain, it sleeps.
  wakeful.came();
  await turnUntilAsleep(1);
  wakeful.expect();
  expect(await turnUntilAsleep(0.1)).toBe(0);
});

it('is not for a machine with one processor', async () => {
  const wakeful = new Wakeful(false);
  for (let i = 0; i < 3; i += 1) answerAfter(wakeful, 0.01);
  wakeful.expect();
  expect(await turnUntilAsleep(0.1)).toBe(0);
});
