/**
 * Clients made from the contract alone, in other languages: one short script
 * of calls, the same in each, and what it prints; and what proto/README.md
 * shows.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openConnection } from '../../client/connection.js';
import { ErrorCode } from '../../shared/errors.js';
import { GrpcStatus, statusOf } from '../../shared/grpc-status.js';
import { openFolder, startDaemon, until } from '../processes.js';
import { openServing, type Serving } from '../serving.js';
import { languages, type Language } from './languages.js';

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

/** The languages whose tools are here, each with the folder of what is generated for it. */
const generated = new Map<string, Promise<string>>();
const generate = (language: Language): Promise<string> => {
  const before = generated.get(language.name);
  if (before !== undefined) return before;
  const making = (async () => {
    const path = join(folder.path, language.ending);
    await mkdir(path);
    await language.generate(path);
    return path;
  })();
  generated.set(language.name, making);
  return making;
};
const missing = new Set<string>();
for (const { name, probe } of languages) await probe().catch(() => missing.add(name));
/** A build compiles what there is of gRPC in its language, on a machine that may be busy with other tests. */
const buildTimeoutMs = 400_000;

for (const language of languages) {
  describe.skipIf(missing.has(language.name))(`a client in ${language.name}`, () => {
    let program: string[];
    beforeAll(async () => {
      program = await language.build(await generate(language), join(clients, `client.${language.ending}`));
    }, buildTimeoutMs);

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

describe('proto/README.md', async () => {
  const readme = await readFile(new URL('../../proto/README.md', import.meta.url), 'utf8');
  const blocks = (language: string) => [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g'))].map(([, text]) => text!);
  const [first = '', tls = '', events = ''] = blocks('python');
  const [goProgram = ''] = blocks('go');
  const defaultAddress = 'unix:/run/vnet/vnet.sock';
  const channelLine = `channel = grpc.insecure_channel("${defaultAddress}")`;
  const shown = (name: string) => languages.find((language) => language.name === name)!;
  /** Makes a program of a text, and gives what starts it. */
  const made = async (language: Language, name: string, text: string): Promise<[string, ...string[]]> => {
    const path = await generate(language);
    const source = join(path, `${name}.${language.ending}`);
    await writeFile(source, text);
    return await language.build(path, source) as [string, ...string[]];
  };
  /** Puts one text in place of another that must be there. */
  const put = (text: string, old: string, fresh: string) => {
    expect(text).toContain(old);
    return text.replaceAll(old, fresh);
  };

  it('has every error with its number and status', () => {
    const rows = [...readme.matchAll(/^\| ([A-Z_]+) \| (\d+) \| ([A-Z_]+) \|/gm)].map(([, reason, code, status]) => [reason, Number(code), status]);
    const codes = Object.values(ErrorCode).filter((code): code is ErrorCode => typeof code === 'number' && code > 0);
    expect(rows).toEqual(codes.map((code) => [ErrorCode[code], code, GrpcStatus[statusOf[code]]]));
  });

  it.skipIf(missing.has('Python'))('has a Python program that runs, over the unix socket and over TLS', async () => {
    const answer = 'default active virbr0\nprivate inactive virbr1\ndefault runs already\n';
    const overUnix = await made(shown('Python'), 'first', put(first, defaultAddress, ways['the unix socket']!().address));
    expect((await run(overUnix[0], overUnix.slice(1))).stdout).toBe(answer);
    const channel = put(put(tls, '/etc/vnet/pki', serving.pki), 'host1.example.org:16614', ways['TLS']!().address);
    const overTls = await made(shown('Python'), 'first_tls', put(first, channelLine, channel));
    expect((await run(overTls[0], overTls.slice(1))).stdout).toBe(answer);
  });

  it.skipIf(missing.has('Go'))('has a Go program that runs', async () => {
    const [program] = await made(shown('Go'), 'first', put(goProgram, defaultAddress, ways['the unix socket']!().address));
    expect((await run(program)).stdout).toBe('default true virbr0\nprivate false virbr1\ndefault runs already\n');
  }, buildTimeoutMs);

  it.skipIf(missing.has('Python'))('has a Python loop that follows events, also over a restart of the daemon', async () => {
    const home = await openFolder();
    const start = () => startDaemon(['--root', home.path, '--driver', 'test']);
    let daemon = await start();
    const head = first.slice(0, first.indexOf('for row in'));
    const [command, ...argv] = await made(shown('Python'), 'events', `${put(head, defaultAddress, `unix:${home.path}/run/vnet/vnet.sock`)}
${events}
follow(lambda rows: print("state", *(row.network.name for row in rows), flush=True),
       lambda event: print(vnet.EventKind.Name(event.kind), event.network.name, flush=True))
`);
    const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => { said += chunk.toString(); });
      const says = (text: string) => until(`the program says ${text}`, async () => said === text, 20_000).catch(() => expect(said).toBe(text));
      const define = async (name: string) => {
        await using connection = await openConnection(daemon.uris['unix']!);
        await connection.defineXml(`<network><name>${name}</name></network>`);
      };
      await says('state default private\n');
      await define('one');
      await says('state default private\nEVENT_KIND_DEFINED one\n');
      await daemon.stop();
      daemon = await start();
      await says('state default private\nEVENT_KIND_DEFINED one\nstate default private\n');
      await define('two');
      await says('state default private\nEVENT_KIND_DEFINED one\nstate default private\nEVENT_KIND_DEFINED two\n');
    } finally {
      child.kill();
      await daemon.stop();
      await home.close();
    }
  }, 120_000);
});
