/** Doing together what is asked for at about the same time. */
import { describe, expect, it } from 'vitest';
import { openGathering, openShared } from '../../../server/host/gather.js';

describe('a gathering', () => {
  it('does together what is asked for in one breath, and what comes in meanwhile', async () => {
    const runs: number[][] = [];
    let release: () => void = () => undefined;
    const gathering = openGathering<number>(async (items) => {
      runs.push([...items]);
      if (runs.length === 1) await new Promise<void>((resolve) => { release = resolve; });
    });
    const first = [1, 2].map((item) => gathering.add(item));
    while (runs.length === 0) await new Promise(setImmediate);
    const later = [3, 4, 5].map((item) => gathering.add(item));
    release();
    await Promise.all([...first, ...later]);
    expect(runs).toEqual([[1, 2], [3, 4, 5]]);
  });

  it('waits while the event loop brings more', async () => {
    const runs: number[][] = [];
    const gathering = openGathering<number>(async (items) => { runs.push([...items]); });
    const asked: Promise<void>[] = [];
    for (const item of [1, 2, 3]) {
      const turn = new Promise(setImmediate);
      asked.push(gathering.add(item));
      await turn;
    }
    await Promise.all(asked);
    expect(runs).toEqual([[1, 2, 3]]);
  });

  it('gives each its own error when the common run fails', async () => {
    const runs: number[][] = [];
    const gathering = openGathering<number>(async (items) => {
      runs.push([...items]);
      if (items.includes(2)) throw new Error(`no ${items.join()}`);
    });
    const results = await Promise.allSettled([1, 2, 3].map((item) => gathering.add(item)));
    expect(results.map((result) => (result.status === 'rejected' ? (result.reason as Error).message : 'done'))).toEqual(['done', 'no 2', 'done']);
    expect(runs).toEqual([[1, 2, 3], [1], [2], [3]]);
    await gathering.add(4);
    expect(runs.at(-1)).toEqual([4]);
  });

  it('bounds a run', async () => {
    const sizes: number[] = [];
    const gathering = openGathering<number>(async (items) => { sizes.push(items.length); }, 64);
    await Promise.all(Array.from({ length: 150 }, (_, item) => gathering.add(item)));
    expect(sizes).toEqual([64, 64, 22]);
  });
});

describe('a gathering whose run tells who failed', () => {
  it('gives each its own, and runs nothing twice', async () => {
    const runs: number[][] = [];
    const gathering = openGathering<number>(async (items) => {
      runs.push([...items]);
      return new Map([[2, new Error('no 2')]]);
    }, 3);
    const results = await Promise.allSettled([1, 2, 3, 4].map((item) => gathering.add(item)));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(runs).toEqual([[1, 2, 3], [4]]);
  });
});

describe('a shared read', () => {
  it('is one for all who ask in one breath, and a new one for who asks while it is under way', async () => {
    let reads = 0;
    const releases: (() => void)[] = [];
    const ask = openShared(async () => {
      reads += 1;
      const mine = reads;
      await new Promise<void>((resolve) => releases.push(resolve));
      return mine;
    });
    const early = [ask(), ask()];
    await new Promise(setImmediate);
    const late = [ask(), ask()];
    await new Promise(setImmediate);
    expect(reads).toBe(1);
    releases.shift()!();
    expect(await Promise.all(early)).toEqual([1, 1]);
    await new Promise(setImmediate);
    releases.shift()!();
    expect(await Promise.all(late)).toEqual([2, 2]);
  });

  it('that failed is tried again for who asks next', async () => {
    let fail = true;
    const ask = openShared(async () => { if (fail) throw new Error('not now'); return 'read'; });
    await expect(Promise.all([ask(), ask()])).rejects.toThrow('not now');
    fail = false;
    expect(await ask()).toBe('read');
  });
});
