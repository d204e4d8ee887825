/**
 * Lives here: one run of `vnet` from its words to its exit code. Does not
 * know: the process it runs in, or any command.
 */
import { version } from '../../shared/version.js';
import { Call, type Surroundings } from './call.js';
import type { Command } from './command.js';
import { Exit, exitCodeOf, Failure, renderFailure, UsageError } from './failure.js';
import { formatOf, parseCommandLine, type Invocation } from './parse.js';

/** Runs the program. Never throws. @returns the exit code */
export async function main(surroundings: Surroundings): Promise<number> {
  const { argv, stderr } = surroundings;
  let invocation: Invocation;
  try {
    invocation = parseCommandLine(argv);
    checkOptions(invocation);
  } catch (error) {
    stderr.write(renderFailure(error, formatOf(argv), false));
    return exitCodeOf(error);
  }
  const { command, options } = invocation;
  if (options.has('help')) return printHelp(surroundings, command);
  if (options.has('version')) {
    surroundings.stdout.write(`${version}\n`);
    return Exit.DONE;
  }
  if (command === undefined) {
    const { renderOverview } = await import('./help.js');
    stderr.write(renderOverview());
    return Exit.USAGE;
  }
  return runCommand(command, new Call(surroundings, invocation));
}

/** Runs a command to its end, or until it is interrupted. */
async function runCommand(command: Command, call: Call): Promise<number> {
  const { interrupted } = call.surroundings;
  let exit: number = Exit.DONE;
  try {
    const stop = new Promise<never>((_, reject) => {
      interrupted.addEventListener('abort', () => {
        if (!call.handlesInterrupts) reject(new Failure('interrupted', { exit: Exit.INTERRUPTED }));
      }, { once: true });
    });
    await Promise.race([command.run(call), stop]);
  } catch (error) {
    exit = exitCodeOf(error);
    // What each of several targets failed for has been said.
    if (!(error instanceof Failure && error.message === '' && error.cause === undefined)) call.report(error);
  }
  await call.flush(exit !== Exit.DONE);
  // An empty line ends every answer of virsh, good or bad, once it is connected.
  if (command.bare !== true && call.format === 'table' && !call.quiet && call.reached) call.surroundings.stdout.write('\n');
  await call.close().catch((error: unknown) => call.report(error));
  return exit;
}

/** Refuses what the table of commands allows but this command does not have. */
function checkOptions({ command, options }: Invocation): void {
  const output = options.get('output') ?? 'table';
  if (command !== undefined && output !== 'table' && command.formats?.some((format) => format === output) !== true) {
    const has = (command.formats ?? []).filter((format) => format !== 'table');
    throw new UsageError(`command '${command.name}' has no output as ${String(output)}`, has.length === 0 ? undefined : `it has ${has.join(', ')}`);
  }
  const timeout = options.get('timeout');
  if (timeout !== undefined && !(Number(timeout) > 0 && Number(timeout) <= 86_400)) {
    throw new UsageError(`--timeout must be a number of seconds, not '${String(timeout)}'`);
  }
}

async function printHelp({ stdout }: Surroundings, command: Command | undefined): Promise<number> {
  const { renderOverview, renderCommandHelp } = await import('./help.js');
  stdout.write(command === undefined ? renderOverview() : renderCommandHelp(command));
  return Exit.DONE;
}
