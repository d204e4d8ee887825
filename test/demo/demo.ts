/**
 * Lives here: the demonstration: a daemon, its network `default`, a guest that
 * gets a lease, and what to try next. Runs inside namespaces of its own, until
 * its input ends.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openConnection, type Connection } from '../../client/connection.js';
import { openLab } from '../lab/lab.js';
import { dist, openFolder, startDaemon, until } from '../processes.js';

const run = promisify(execFile);
const kind = process.argv[2] === 'host' ? 'host' : 'test';

const ended = once(process.stdin.resume(), 'end');
const folder = await openFolder();
const lab = kind === 'host' ? await openLab() : undefined;
const daemon = await startDaemon(['--root', folder.path, '--driver', kind]);
const uri = daemon.uris['unix']!;
const connection = await openConnection(uri);
try {
  if (lab !== undefined) await showGuest(connection, lab);
  await show(uri);
  await ended;
} finally {
  process.stdout.write('\nputting everything away ...\n');
  for (const { network } of await connection.listAllNetworks({ active: true })) await network.destroy();
  await connection.close();
  await daemon.stop();
  await lab?.close();
  await folder.close();
}

/** Starts `default` and puts a guest on it that asks for an address. */
async function showGuest(connected: Connection, { guest }: Awaited<ReturnType<typeof openLab>>): Promise<void> {
  const network = await connected.lookupByName('default');
  await network.start();
  const demonstration = await guest(await network.bridgeName(), 'demo');
  await demonstration.lease();
  await until('the lease', async () => (await network.leases()).length > 0);
}

/** Prints what stands, as a user would ask for it, and what to try. */
async function show(at: string): Promise<void> {
  const vnet = async (...argv: string[]) => (await run(process.execPath, [join(dist, 'client/cli/vnet.js'), '-c', at, ...argv])).stdout;
  process.stdout.write([
    `vnetd serves ${kind === 'host' ? 'a host of its own, with a guest on its network default' : 'the test driver'}:\n`,
    await vnet('list'),
    await vnet('leases', 'default'),
    'Try, from another terminal in this folder:\n',
    `  export VNET_URI='${at}'`,
    '  npx vnet list',
    '  npx vnet dumpxml default',
    "  echo '<network><name>lab</name><forward mode=\"nat\"/><ip address=\"192.168.150.1\" prefix=\"24\"/></network>' | npx vnet define -",
    '  npx vnet start lab',
    '  npx vnet --help\n',
    'Ctrl-C ends it and leaves nothing behind.\n',
  ].join('\n'));
}
