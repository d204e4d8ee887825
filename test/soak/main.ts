/**
 * Lives here: the command line of a soak, and its exit code.
 */
import { parseArgs } from 'node:util';
import { runSoak } from './soak.js';

const usage = 'usage: npm run soak -- [--minutes N] [--seed S]\n';

function refuse(what: string): never {
  process.stderr.write(`${what}\n${usage}`);
  process.exit(2);
}

/** Reads the words after the command. */
function readOptions(): { minutes: string; seed: string } {
  try {
    return parseArgs({ options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: String(Date.now() % 1_000_000) } } }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const { minutes, seed } = readOptions();
if (!/^\d+(\.\d+)?$/.test(minutes) || Number(minutes) === 0) refuse(`--minutes ${minutes}: it takes a number above 0`);
if (!/^\d{1,9}$/.test(seed)) refuse(`--seed ${seed}: it takes a whole number of up to nine digits`);
process.stdout.write(`seed ${seed}; to try the same again: npm run soak -- --minutes ${minutes} --seed ${seed}\n`);
const { text, problems } = await runSoak({ seed: Number(seed), forMs: Number(minutes) * 60_000, say: (line) => process.stdout.write(`${line}\n`) });
process.stdout.write(text);
process.exit(problems.length === 0 ? 0 : 1);
