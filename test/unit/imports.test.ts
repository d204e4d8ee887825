/** Which room may know which: the import direction, and the one file for each foreign package. */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve, dirname } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;

/** What the files below each folder may import from this project. */
const rooms: Record<string, string[]> = {
  'shared/definition': ['shared/'],
  shared: ['shared/'],
  client: ['client/', 'shared/'],
  'server/host': ['server/host/', 'server/driver/host', 'server/log', 'server/accounts', 'server/files', 'server/step', 'shared/'],
  'server/driver': ['server/driver/', 'server/log', 'server/files', 'server/step', 'shared/'],
  server: ['server/', 'shared/'],
};

/** The doors from the client to the server, loaded when asked for: drivers in this process, and files of this host's daemon. */
const doors: Record<string, string[]> = {
  'client/connect.ts': ['server/driver/test-driver', 'server/embed'], 'client/cli/token.ts': ['server/identity/token-file'],
};

/** Which files may import each foreign package. */
const packages: Record<string, string[]> = {
  '@grpc/grpc-js': [
    'client/channel.ts', 'client/grpc-rpc.ts', 'client/session.ts', 'server/dispatch.ts', 'server/health.ts', 'server/late.ts', 'server/limits/grpc-library.ts', 'server/listen.ts',
    'server/reflection.ts', 'server/session/attach.ts',
  ],
  '@grpc/proto-loader': ['server/reflection.ts'],
  '@grpc/reflection': ['server/reflection.ts'],
  'grpc-health-check': ['server/health.ts'],
  '@bufbuild/protobuf': ['shared/encode.ts'],
  'fast-xml-parser': ['shared/definition/xml/read.ts'],
  execa: ['client/program.ts', 'server/host/command.ts', 'server/notify.ts'],
  'ipaddr.js': ['shared/address.ts'],
  pino: ['server/vnetd.ts'],
  'smol-toml': ['server/config.ts'],
  yaml: ['client/cli/backup-file.ts', 'client/cli/output.ts'],
};

async function sources(): Promise<string[]> {
  const found: string[] = [];
  for (const folder of ['shared', 'client', 'server']) {
    for (const entry of await readdir(join(root, folder), { recursive: true })) {
      const path = join(folder, entry);
      if (path.endsWith('.ts') && !path.startsWith('shared/gen/')) found.push(path);
    }
  }
  return found;
}

async function importsOf(path: string): Promise<string[]> {
  const text = await readFile(join(root, path), 'utf8');
  return [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(([, target]) => target!);
}

describe('imports', async () => {
  const files = await sources();

  it('go in the direction of the design', async () => {
    const wrong: string[] = [];
    for (const path of files) {
      const room = Object.keys(rooms).find((folder) => path.startsWith(`${folder}/`))!;
      for (const target of await importsOf(path)) {
        if (!target.startsWith('.')) continue;
        const local = relative(root, resolve(root, dirname(path), target)).replace(/\.js$/, '');
        const allowed = [...rooms[room]!, ...doors[path] ?? []];
        if (!allowed.some((start) => local === start || local.startsWith(start.endsWith('/') ? start : `${start}\0`))) wrong.push(`${path} -> ${local}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('of a foreign package stand in the files that are known to need it', async () => {
    const found: Record<string, string[]> = {};
    for (const path of files) {
      for (const target of await importsOf(path)) {
        if (target.startsWith('.') || target.startsWith('node:')) continue;
        const name = target.split('/').slice(0, target.startsWith('@') ? 2 : 1).join('/');
        found[name] = [...new Set([...found[name] ?? [], path])].sort();
      }
    }
    expect(found).toEqual(packages);
  });
});
