/**
 * The hotplug script for Xen against a real daemon: a stand-in for a guest's
 * device is plugged into a network, and its guest gets a lease.
 */
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openConnection, type Connection } from '../../client/connection.js';
import { dist, startDaemon, type Daemon } from '../processes.js';
import { openLab, runProgram, type Lab } from './lab.js';
import { shownLinks } from './port-plan.js';

const script = new URL('../../client/xen/vif-vnet', import.meta.url).pathname;
const cli = join(dist, 'client/cli/vnet.js');
const canAttach = spawnSync(process.execPath, [cli, 'help', 'attach']).status === 0;

const path = '/local/domain/0/backend/vif/1/0';
const mac = '00:16:3e:01:02:03';

describe.skipIf(!canAttach)('a Xen guest', { timeout: 60_000 }, () => {
  let lab: Lab;
  let daemon: Daemon;
  let connection: Connection;
  let folder: string;

  beforeAll(async () => {
    lab = await openLab();
    daemon = await startDaemon(['--root', lab.folder]);
    connection = await openConnection(daemon.uris['unix']!);
    folder = join(lab.folder, 'xen');
    await mkdir(folder);
    const program = async (name: string, body: string) => {
      await writeFile(join(folder, name), `#!/bin/sh\n${body}\n`);
      await chmod(join(folder, name), 0o755);
    };
    await program('vnet', `exec '${process.execPath}' '${cli}' "$@"`);
    await program('xenstore-read', `case "$1" in ${path}/bridge) echo default ;; ${path}/mac) echo ${mac} ;; ${path}/frontend-id) echo 1 ;; /local/domain/1/name) echo web ;; *) exit 1 ;; esac`);
    await program('xenstore-write', `echo "$@" > '${folder}/written'`);
  }, 400_000);

  afterAll(async () => {
    await connection?.close();
    await daemon?.stop();
    await lab?.close();
  });

  const hotplug = (action: string) => runProgram(script, [action, 'type_if=vif'], '', {
    PATH: `${folder}:${process.env['PATH'] ?? ''}`, VNET_URI: daemon.uris['unix']!, XENBUS_PATH: path, vif: 'vif1.0',
  });
  const vif = async () => (await shownLinks()).find(({ ifname }) => ifname === 'vif1.0');

  it('is plugged in by the script, gets a lease, and is taken off by it', async () => {
    const network = await connection.lookupByName('default');
    await network.start();
    // What xen-netback makes of a guest's card, and the guest at its far end.
    await runProgram('ip', ['-batch', '-'], `netns add web\nlink add vif1.0 type veth peer name eth0 address ${mac} netns web\n`);
    await hotplug('online');
    expect(await vif()).toMatchObject({ master: await network.bridgeName(), flags: expect.arrayContaining(['UP']) });
    expect(await readFile(join(folder, 'written'), 'utf8')).toBe(`${path}/hotplug-status connected\n`);
    await runProgram('ip', ['-n', 'web', 'link', 'set', 'eth0', 'up']);
    await runProgram('nsenter', ['--net=/run/netns/web', 'udhcpc', '-i', 'eth0', '-f', '-q', '-n', '-t', '8', '-T', '4', '-s', '/bin/true']);
    expect((await network.leases()).map((lease) => lease.mac)).toEqual([mac]);
    await hotplug('offline');
    expect((await vif())?.ifname).toBe('vif1.0');
    expect((await vif())?.master).toBeUndefined();
    await network.destroy();
    await runProgram('ip', ['netns', 'delete', 'web']);
    await runProgram('ip', ['link', 'delete', 'vif1.0']).catch(() => undefined);
  });
});
