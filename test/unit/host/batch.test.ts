/** Many things told to ip or tc in one call, of which some fail. */
import { describe, expect, it } from 'vitest';
import { runBlocks, type Line } from '../../../server/host/batch.js';
import { CommandError, type Commands } from '../../../server/host/command.js';

/** A program that stops at the first line with the word `bad`, as ip and tc do, and what it was given. */
function tool(bad = 'bad', words = (line: number) => `RTNETLINK answers: no\nCommand failed -:${line}`): Commands & { inputs: string[] } {
  const inputs: string[] = [];
  return {
    inputs,
    require: async () => undefined,
    read: async () => '',
    follow: () => Promise.reject(new Error('nothing is followed')),
    run: async (name, _argv, { input = '' } = {}) => {
      inputs.push(input.trim().replaceAll('\n', ' '));
      const line = input.split('\n').findIndex((text) => text.startsWith(bad));
      if (line >= 0) throw new CommandError(name, words(line + 1));
    },
  };
}

const block = (...texts: string[]): Line[] => texts.map((text) => ({ text }));

describe('blocks of lines', () => {
  it('go in one call', async () => {
    const ip = tool();
    expect(await runBlocks(ip, 'ip', [block('a1', 'a2'), block('b1')])).toEqual([undefined, undefined]);
    expect(ip.inputs).toEqual(['a1 a2 b1']);
  });

  it('are none: nothing is called', async () => {
    const ip = tool();
    expect(await runBlocks(ip, 'ip', [])).toEqual([]);
    expect(ip.inputs).toEqual([]);
  });

  it('fail each for itself; the others are done, none of them twice', async () => {
    const ip = tool();
    const failures = await runBlocks(ip, 'ip', [block('a1', 'a2'), block('b1', 'bad', 'b3'), block('c1'), block('bad'), block('e1')]);
    expect(ip.inputs).toEqual(['a1 a2 b1 bad b3 c1 bad e1', 'c1 bad e1', 'e1']);
    expect(failures.map((failure) => failure?.line)).toEqual([undefined, 2, undefined, 1, undefined]);
    expect(failures[1]?.error).toBeInstanceOf(CommandError);
  });

  it('do what there is in place of a line, then the rest of the block', async () => {
    const tc = tool();
    const failures = await runBlocks(tc, 'tc', [[{ text: 'bad', instead: async () => block('good1', 'good2') }, { text: 'a2' }], block('b1')]);
    expect(failures).toEqual([undefined, undefined]);
    expect(tc.inputs).toEqual(['bad a2 b1', 'good1 good2 a2 b1']);
  });

  it('whose replacement fails have failed with that', async () => {
    const tc = tool();
    const failures = await runBlocks(tc, 'tc', [[{ text: 'bad', instead: () => Promise.reject(new Error('nor this')) }, { text: 'a2' }], block('b1')]);
    expect(failures[0]?.error).toEqual(new Error('nor this'));
    expect(tc.inputs).toEqual(['bad a2 b1', 'b1']);
  });

  it('of which nobody knows how far they came have all failed', async () => {
    const ip = tool('bad', () => 'no end within 20000 ms; killed');
    expect((await runBlocks(ip, 'ip', [block('a1'), block('bad')])).map((failure) => failure?.line)).toEqual([0, 0]);
    expect(ip.inputs).toHaveLength(1);
  });
});
