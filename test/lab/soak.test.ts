/** A short soak: that it runs, makes calls of every client, and finds nothing. `npm run soak` is the long one. */
import { expect, it } from 'vitest';
import { runSoak } from '../soak/soak.js';

it('a short soak with faults finds everything as the rules say', async () => {
  const lines: string[] = [];
  const { text, problems } = await runSoak({ seed: 1, forMs: 20_000, say: (line) => lines.push(line) });
  console.log(text);
  expect(problems).toEqual([]);
  for (const client of ['unix session', 'unix unary', 'tcp', 'tls', 'program']) expect(text).toMatch(new RegExp(`calls by client: .*\\b${client} [1-9]`));
  expect(text).toMatch(/faults: .*[1-9]/);
  expect(lines.filter((line) => line.startsWith('round ')).length).toBeGreaterThan(1);
}, 180_000);
