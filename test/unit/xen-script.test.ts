/** The hotplug script for Xen: what it tells vnet and Xen, with a stand-in for both. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

const script = new URL('../../client/xen/vif-vnet', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'vnet-xen-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = '/local/domain/0/backend/vif/7/0';
const store: Record<string, string> = { [`${path}/bridge`]: 'my net', [`${path}/mac`]: '00:16:3e:01:02:03', [`${path}/frontend-id`]: '7', '/local/domain/7/name': 'web $(server)' };
const said = join(folder, 'said');

function program(name: string, body: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(folder, name), 0o755);
}

/** Runs it as xl does; `vnet` ends with this code. Gives what the programs were told, one argument a word in brackets. */
async function run(argv: string[], code = 0): Promise<string[]> {
  program('vnet', `printf 'vnet' >> ${said}; printf ' [%s]' "$@" >> ${said}; echo >> ${said}; exit ${code}`);
  const env = { PATH: `${folder}:/usr/bin:/bin`, XENBUS_PATH: path, vif: 'vif7.0', INTERFACE: 'vif7.0-emu' };
  await promisify(execFile)(script, argv, { env });
  return readFileSync(said, 'utf8').trim().split('\n');
}

beforeEach(() => {
  writeFileSync(said, '');
  program('xenstore-read', `case "$1" in ${Object.entries(store).map(([key, value]) => `'${key}') echo '${value}' ;;`).join(' ')} *) echo "no $1" >&2; exit 1 ;; esac`);
  program('xenstore-write', `echo "xenstore-write $*" >> ${said}`);
});

describe('the hotplug script for Xen', () => {
  it('attaches a device that comes, and tells Xen', async () => {
    expect(await run(['online', 'type_if=vif'])).toEqual([
      'vnet [attach] [my net] [--device] [vif7.0] [--mac] [00:16:3e:01:02:03] [--guest] [web $(server)]', `xenstore-write ${path}/hotplug-status connected`,
    ]);
  });

  it('attaches the device that QEMU emulates as well', async () => {
    expect(await run(['add', 'type_if=tap'])).toEqual(['vnet [attach] [my net] [--device] [vif7.0-emu] [--mac] [00:16:3e:01:02:03] [--guest] [web $(server)]']);
  });

  it('detaches one that goes, also where vnet fails', async () => {
    expect(await run(['offline', 'type_if=vif'])).toEqual(['vnet [detach] [my net] [vif7.0]']);
    writeFileSync(said, '');
    expect(await run(['remove', 'type_if=tap'], 1)).toEqual(['vnet [detach] [my net] [vif7.0-emu]']);
  });

  it('fails where the guest is not on the network', async () => {
    await expect(run(['online', 'type_if=vif'], 3)).rejects.toMatchObject({ code: 3 });
    expect(readFileSync(said, 'utf8')).not.toContain('connected');
  });
});
