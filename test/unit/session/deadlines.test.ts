/** Many deadlines behind one timer. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Deadlines } from '../../../shared/session/deadlines.js';

beforeEach(() => { vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }); });
afterEach(() => { vi.useRealTimers(); });

it('each comes when it is due, once, however they were set', () => {
  const came: string[] = [];
  const deadlines = new Deadlines<string>();
  for (const [key, ms] of [['c', 300], ['a', 100], ['b', 200.5], ['d', 300]] as const) deadlines.set(key, ms, () => came.push(`${key} at ${Math.ceil(performance.now() / 10) * 10}`));
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(99);
  expect(came).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(came).toEqual(['a at 100', 'b at 210', 'c at 300', 'd at 300']);
  expect(vi.getTimerCount()).toBe(0);
});

it('what is taken back does not come, and one that is set meanwhile does', () => {
  const came: string[] = [];
  const deadlines = new Deadlines<string>();
  deadlines.set('first', 50, () => { came.push('first'); deadlines.set('next', 10, () => came.push('next')); });
  deadlines.set('never', 60, () => came.push('never'));
  deadlines.delete('never');
  vi.advanceTimersByTime(59);
  expect(came).toEqual(['first']);
  vi.advanceTimersByTime(5);
  expect(came).toEqual(['first', 'next']);
  deadlines.set('gone', 5, () => came.push('gone'));
  deadlines.clear();
  vi.advanceTimersByTime(1000);
  expect([came, vi.getTimerCount()]).toEqual([['first', 'next'], 0]);
  deadlines.set('again', 5, () => came.push('again'));
  vi.advanceTimersByTime(10);
  expect(came.at(-1)).toBe('again');
});

it('one without end is none', () => {
  const late = vi.fn();
  new Deadlines<number>().set(1, Infinity, late);
  vi.advanceTimersByTime(20 * 86_400_000);
  expect(late).not.toHaveBeenCalled();
});
