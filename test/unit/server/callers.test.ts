/** Accounts by their numbers, tokens as they are kept, and who a call is by what it brings. */
import { EventEmitter } from 'node:events';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Connection, type ListenerKind } from '../../../server/connections.js';
import { openAccounts } from '../../../server/identity/account-names.js';
import { createIdentify } from '../../../server/identity/identify.js';
import { addToken, findToken, formatTokens, parseTokens, readTokens, revokeToken } from '../../../server/identity/token-file.js';
import { Tokens } from '../../../server/identity/tokens.js';
import { openUnixPeers } from '../../../server/identity/unix-peers.js';
import type { Commands } from '../../../server/host/command.js';
import { silentLog } from '../../../server/log.js';
import { Reloads } from '../../../server/reload.js';
import { defaultConfig } from '../../../server/config.js';
import { ErrorCode } from '../../../shared/errors.js';
import { openFolder, until } from '../../processes.js';

let folder: Awaited<ReturnType<typeof openFolder>>;
beforeAll(async () => { folder = await openFolder(); });
afterAll(() => folder.close());
const at = (name: string) => join(folder.path, name);

/** A program getent that knows what it is given, and what it was asked. */
function getent(answers: Record<string, string>): Commands & { asked: string[] } {
  const asked: string[] = [];
  const never = () => { throw new Error('not that'); };
  return { asked, run: never, follow: never, require: never, read: async (_, argv) => {
    asked.push(argv.join(' '));
    const answer = answers[argv.join(' ')];
    if (answer === undefined) throw new Error('exit code 2');
    return answer;
  } };
}

describe('accounts', () => {
  const files = { passwd: '', group: '', nsswitch: '' };
  beforeAll(async () => {
    for (const name of ['passwd', 'group', 'nsswitch'] as const) files[name] = at(name);
    await writeFile(files.passwd, 'root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n');
    await writeFile(files.group, 'root:x:0:\nalice:x:1000:\nvnet:x:990:bob,alice\nother:x:991:malice\ngames:x:60:\n');
    await writeFile(files.nsswitch, 'passwd: files systemd\ngroup: files [SUCCESS=merge] systemd # ldap\n');
  });

  it('have the groups of the files, and of their process', async () => {
    const commands = getent({});
    const accounts = openAccounts(files, commands);
    expect(await accounts.names(1000, 1000)).toEqual({ user: 'alice', groups: ['alice', 'vnet'] });
    expect(await accounts.names(1000, 60)).toEqual({ user: 'alice', groups: ['alice', 'vnet', 'games'] });
    expect(await accounts.names(4711, 60)).toEqual({ groups: ['games'] });
    // Who leaves a group has left it at the next connection.
    await writeFile(files.group, 'alice:x:1000:\nvnet:x:990:bob\n');
    expect(await accounts.names(1000, 1000)).toEqual({ user: 'alice', groups: ['alice'] });
    expect(commands.asked).toEqual([]);
  });

  it('can come from elsewhere, and are asked for once in a while', async () => {
    await writeFile(files.nsswitch, 'passwd: files sss\n');
    const commands = getent({
      'passwd 5000': 'carol:*:5000:5000::/home/carol:/bin/sh\n', 'initgroups carol': 'carol                 5000 990\n', 'group 5000 990': 'carol:*:5000:\nvnet:x:990:\n',
      'passwd 1000': 'impostor:*:1000:1000::/:/bin/sh\n', 'initgroups impostor': 'impostor 0\n', 'group 1000 0': 'root:x:0:\n',
    });
    const accounts = openAccounts(files, commands);
    for (let i = 0; i < 3; i++) expect(await accounts.names(5000, 5000)).toEqual({ user: 'carol', groups: ['carol', 'vnet'] });
    expect(commands.asked).toHaveLength(3);
    // The machine's own account keeps its name, and gets no groups of its namesake.
    expect(await accounts.names(1000, 1000)).toEqual({ user: 'alice', groups: ['alice'] });
  });
});

describe('peers of a unix socket', () => {
  const unknown = { kind: 'socket', name: 'unix' } as const;
  const broken = { open: async () => { throw new Error('no perl'); } };

  it('are the socket alone, with one warning, where the kernel cannot be asked', async () => {
    const warned: string[] = [];
    const peers = await openUnixPeers('auto', { ...silentLog, warn: (_, message) => warned.push(message) }, broken);
    expect(await peers.identify({} as Socket, unknown)).toEqual(unknown);
    expect(warned).toEqual([expect.stringMatching(/cannot be told apart/)]);
    await expect(openUnixPeers('required', silentLog, broken)).rejects.toThrow('no perl');
  });

  it('T24: are not let in when the kernel is asked in vain', async () => {
    const peers = await openUnixPeers('auto', silentLog, { open: async () => ({ read: async () => { throw new Error('gone'); }, close() {} }) });
    await expect(peers.identify({} as Socket, unknown)).rejects.toThrow('gone');
  });
});

describe('the file of tokens', () => {
  it('T33: keeps what is needed to know a token again, and nobody else may read it', async () => {
    const path = at('etc/tokens.json');
    const [first, second] = [await addToken(path, 'one', undefined), await addToken(path, 'two', new Date('2030-01-01'))];
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const records = await readTokens(path);
    expect(parseTokens(formatTokens(records))).toEqual(records);
    expect([findToken(records, first)?.name, findToken(records, second)?.name, findToken(records, `${first}x`), findToken(records, '')]).toEqual(['one', 'two', undefined, undefined]);
    expect(await readFile(path, 'utf8')).not.toContain(first.slice(5));
    await revokeToken(path, 'one');
    expect((await readTokens(path)).map(({ name }) => name)).toEqual(['two']);
    await expect(revokeToken(path, 'one')).rejects.toThrow(/there is no token 'one'/);
    // Many at once: none undoes what another did.
    await Promise.all(Array.from({ length: 10 }, (_, i) => addToken(path, `many-${i}`, undefined)));
    expect((await readTokens(path)).filter(({ name }) => name.startsWith('many-'))).toHaveLength(10);
    expect(await readdir(at('etc'))).toEqual(['tokens.json']);
    for (const mode of [0o640, 0o604, 0o620]) {
      await chmod(path, mode);
      await expect(readTokens(path)).rejects.toThrow(/chmod 600/);
    }
  });

  it.each(['', '{}', '{"tokens":[{"name":"a","sha256":"12","created":"2026-01-01"}]}', '{"tokens":[{"name":"../a"}]}', '{"tokens":[1]}'])('%j is none', (text) => {
    expect(() => parseTokens(text)).toThrow();
  });
});

describe('a caller', () => {
  const connection = (listener: ListenerKind) => new Connection(1, listener, Object.assign(new EventEmitter(), { destroy() {} }) as unknown as Socket);

  it('T24: is whom the connection belongs to, or the bearer of a token, and of one alone', async () => {
    const path = at('etc/tokens2.json');
    const token = await addToken(path, 'ci', undefined);
    const tokens = new Tokens(path, silentLog);
    await tokens.reload();
    const failures: Connection[] = [];
    const identify = createIdentify(tokens, (failed) => failures.push(failed));
    const unix = connection('unix');
    const refused = expect.objectContaining({ code: ErrorCode.AUTH_FAILED });
    const outcome = (at: Connection, ...authorization: string[]) => { try { return identify(at, authorization); } catch (error) { return error; } };
    expect(outcome(unix)).toBe(unix.identity);
    // A token takes the place of what the connection says, it adds nothing to it.
    expect(outcome(unix, `Bearer ${token}`)).toEqual({ kind: 'token', name: 'token ci', token: 'ci' });
    expect(outcome(connection('tls'), `bearer ${token}`)).toMatchObject({ token: 'ci' });
    expect(outcome(connection('tls'))).toEqual(refused);
    expect(failures).toEqual([]);
    for (const wrong of [[`Bearer ${token}x`], [`Bearer ${token}`, `Bearer ${token}`], [token], ['Bearer '], [`Bearer ${token} x`]]) expect(outcome(unix, ...wrong)).toEqual(refused);
    expect(outcome(connection('tcp'), `Bearer ${token}`)).toEqual(refused);
    expect({ counted: unix.failedProofs, told: failures.length }).toEqual({ counted: 5, told: 6 });
  });
});

describe('reading again', () => {
  it('happens when a file has changed and stands still, and what fails keeps nobody else from it', async () => {
    const [file, config] = [at('watched'), at('vnetd.toml')];
    await writeFile(file, 'a');
    const reads: string[] = [];
    const reloads = new Reloads(defaultConfig('/'), async () => { throw new Error('no TOML'); }, silentLog);
    reloads.onReload({ name: 'broken', paths: () => [], reload: async () => { throw new Error('broken'); } });
    reloads.onReload({ name: 'whole', paths: () => [file], reload: async () => { reads.push(await readFile(file, 'utf8')); } });
    reloads.watch(config);
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    await writeFile(file, 'b');
    await until('the change', async () => reads.length > 0);
    expect(reads).toEqual(['b']);
    await writeFile(config, '');
    await until('the change', async () => reads.length > 1);
    await reloads.reload('asked');
    expect(reads).toEqual(['b', 'b', 'b']);
    reloads.close();
  });
});
