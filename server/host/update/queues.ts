/**
 * Lives here: changing what tc does on a bridge that stands. A limit on what
 * guests receive is changed in place; the rest is made anew. Does not know:
 * what tc is told.
 */
import type { NetworkPlan } from '../../driver/host.js';
import { removeBandwidth } from '../bandwidth.js';
import { CommandError, type Commands } from '../command.js';
import { safeInterface } from '../safe-text.js';
import { runLines, type Line } from '../tc.js';

/** The lines of a plan, in the two halves in which they are changed: the queue that a bridge sends through, and what is done with packets in passing. */
interface Halves {
  queue: Line[];
  passing: Line[];
}

/** Whether tc is told something else. */
export function linesDiffer(before: readonly Line[], after: readonly Line[]): boolean {
  return textOf(before) !== textOf(after);
}

/** Leads from one plan's lines to another's, whatever stands of either. @throws {CommandError} with tc's words */
export async function changeLines(commands: Commands, plan: NetworkPlan, before: readonly Line[], after: readonly Line[]): Promise<void> {
  if (!linesDiffer(before, after)) return;
  const [old, now] = [halves(before), halves(after)];
  if (linesDiffer(old.queue, now.queue)) await changeQueue(commands, plan, old.queue, now.queue);
  if (!linesDiffer(old.passing, now.passing)) return;
  await takeAway(commands, plan, 'clsact');
  await removeBandwidth(commands, plan);
  await runLines(commands, now.passing);
}

async function changeQueue(commands: Commands, plan: NetworkPlan, before: Line[], after: Line[]): Promise<void> {
  if (before.length > 0 && after.length > 0) {
    try {
      return await runLines(commands, after.filter(({ text }) => text.startsWith('class ')).map(({ text }) => ({ text: text.replace('class add', 'class change') })));
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      // It is not there, or not as it was thought to be.
    }
  }
  await takeAway(commands, plan, 'root');
  await runLines(commands, after);
}

/** Removes a qdisc; that there is none is no error. */
async function takeAway(commands: Commands, plan: NetworkPlan, which: 'clsact' | 'root'): Promise<void> {
  await commands.run('tc', ['qdisc', 'del', 'dev', safeInterface(plan.bridge), which]).catch((error: unknown) => {
    if (!(error instanceof CommandError)) throw error;
  });
}

function halves(lines: readonly Line[]): Halves {
  const isPassing = ({ text }: Line) => / (clsact|ingress|egress)( |$)/.test(text);
  return { queue: lines.filter((line) => !isPassing(line)), passing: lines.filter(isPassing) };
}

function textOf(lines: readonly Line[]): string {
  return lines.map(({ text }) => text).join('\n');
}
