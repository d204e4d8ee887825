/**
 * Many clients at once: all are served, and the daemon gives every descriptor
 * back. What they cost it in memory takes longer to tell: test/bench/load.mjs.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { openFolder, startDaemon } from '../processes.js';

const run = promisify(execFile);
const program = new URL('../bench/load.mjs', import.meta.url).pathname;

it('200 idle and 20 busy connections leave nothing behind', async () => {
  const folder = await openFolder();
  const daemon = await startDaemon(['--root', folder.path, '--driver', 'test'], [process.execPath, '--max-semi-space-size=4'], 30_000);
  const load = async (...argv: string[]) => {
    const { stdout } = await run(process.execPath, [program, `${folder.path}/run/vnet/vnet.sock`, String(daemon.process.pid), ...argv], { timeout: 110_000 });
    return stdout.trim().split('\n').map((line) => JSON.parse(line) as { calls: number; failed: number; rssMb: number; descriptors: number; over?: true });
  };
  // The first makes the daemon warm.
  const warm = await load('--idle', '200', '--busy', '20', '--calls', '5000');
  const again = await load('--idle', '200', '--busy', '20', '--calls', '10000');
  for (const lines of [warm, again]) expect(lines.at(-1)).toMatchObject({ over: true, failed: 0, descriptors: lines[0]!.descriptors });
  expect(again.at(-1)!.calls).toBe(10_000);
  expect(await daemon.stop()).toBe(0);
  await folder.close();
}, 240_000);
