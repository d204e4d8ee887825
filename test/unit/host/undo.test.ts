/** The way back. */
import { describe, expect, it } from 'vitest';
import { openWayBack, together } from '../../../server/host/undo.js';
import { silentLog } from '../../../server/log.js';

describe('the way back', () => {
  it('runs from the last step to the first, past failures, which are logged', async () => {
    const done: string[] = [];
    const logged: object[] = [];
    const back = openWayBack({ ...silentLog, error: (fields) => void logged.push(fields) });
    for (const step of ['first', 'second', 'third']) {
      back.push(step, async () => {
        done.push(step);
        if (step === 'second') throw new Error('stuck');
      });
    }
    await back.go();
    expect(done).toEqual(['third', 'second', 'first']);
    expect(logged).toEqual([{ err: new Error('stuck'), step: 'second' }]);
    await back.go();
    expect(done.length).toBe(3);
  });
});

describe('steps side by side', () => {
  it('are all over when the first failure is told', async () => {
    let over = false;
    const slow = new Promise<void>((resolve) => setImmediate(() => { over = true; resolve(); }));
    await expect(together(slow, undefined, Promise.reject(new Error('first')))).rejects.toThrow('first');
    expect(over).toBe(true);
  });
});
