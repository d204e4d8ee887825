/**
 * Lives here: the commands that speak of the program itself: uri, version,
 * help, man. Does not know: networks.
 */
import { version } from '../../shared/version.js';
import type { Call } from './call.js';
import { commands, findCommand } from './commands.js';
import { namesOf } from './command.js';
import { escapeLine } from './escape.js';
import { UsageError } from './failure.js';
import { renderCommandHelp, renderOverview } from './help.js';
import { didYouMean } from './suggest.js';

/** `vnet uri`. */
export async function runUri(call: Call): Promise<void> {
  const { uri } = await call.connection();
  call.print(`${escapeLine(uri)}\n`, { uri });
}

/** `vnet version`. The client's line comes even if nobody answers. */
export async function runVersion(call: Call): Promise<void> {
  call.print(`vnet ${version}\n`);
  const connection = await call.connection();
  const { driver, hostname, version: daemonVersion } = await connection.describe();
  call.print(escapeLine(`vnetd ${daemonVersion}, ${driver} driver on ${hostname}, ${connection.uri}`) + '\n',
    { client: version, daemon: daemonVersion, driver, hostname, uri: connection.uri });
}

/** `vnet help`. */
export async function runHelp(call: Call): Promise<void> {
  const name = call.words('command').join(' ');
  const command = findCommand(name);
  if (name !== '' && command === undefined) throw new UsageError(`unknown command: '${name}'`, didYouMean(name, commands.flatMap(namesOf)));
  call.print(command === undefined ? renderOverview() : renderCommandHelp(command));
}

/** `vnet man`. */
export async function runMan(call: Call): Promise<void> {
  const { renderManual } = await import('./manual.js');
  call.print(renderManual());
}
