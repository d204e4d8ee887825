/**
 * Clients made from the contract alone, in other languages: one short script
 * of calls, the same in each, and what it prints.
 */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFolder } from '../processes.js';
import { openServing, type Serving } from '../serving.js';
import { languages } from './languages.js';

const run = promisify(execFile);
const clients = new URL('clients', import.meta.url).pathname;

const folder = await openFolder();
let serving: Serving;
beforeAll(async () => {
  serving = await openServing('test');
});
afterAll(async () => {
  await serving?.close();
  await folder.close();
});

/** What a client is told: where to go, and with which certificates. */
const ways: Record<string, () => { address: string; pem: string[] }> = {
  'the unix socket': () => ({ address: `unix:${new URL(serving.uris.unix).searchParams.get('socket')}`, pem: [] }),
  TLS: () => ({ address: `localhost:${new URL(serving.uris.tls).port}`, pem: ['ca', 'client', 'client-key'].map((name) => join(serving.pki, `${name}.pem`)) }),
};

for (const language of languages) {
  const missing = await language.probe().then(() => false, () => true);
  describe.skipIf(missing)(`a client in ${language.name}`, () => {
    let program: string[];
    beforeAll(async () => {
      const generated = join(folder.path, language.ending);
      await mkdir(generated);
      await language.generate(generated);
      program = await language.build(generated, join(clients, `client.${language.ending}`));
    }, 240_000);

    it.each(Object.keys(ways))('lists, defines, watches, starts, is refused, and stops over %s', async (way) => {
      const { address, pem } = ways[way]!();
      const name = `in-${language.ending}`;
      const [command = '', ...argv] = [...program, address, name, ...pem];
      const { stdout } = await run(command, argv, { timeout: 20_000 });
      expect(stdout.trim().split('\n')).toEqual([
        'driver test',
        'active default 192.168.122.1/24',
        `defined ${name}`,
        'found true',
        'event SUBSCRIBED',
        'event STARTED',
        'dumped true',
        'refused 9 OPERATION_INVALID 55 Requested operation is not valid: network is already active',
        `refused 5 NO_NETWORK 43 Network not found: no network with matching name '${name}'`,
      ]);
    });
  });
}
