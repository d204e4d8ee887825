/** The access table: what it may say, whom its entries are about, what holds without it. */
import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fits, parsePattern } from '../../../server/access/pattern.js';
import { parseAlternativeName, parseSubject } from '../../../server/identity/certificate-pattern.js';
import { shorthands } from '../../../server/access/permissions.js';
import { isAbout } from '../../../server/access/rights.js';
import { loadTable, parseTable } from '../../../server/access/table.js';
import { ConfigError } from '../../../server/config.js';
import type { Identity } from '../../../server/connections.js';
import { ErrorCode } from '../../../shared/errors.js';
import { as, serve } from './calling.js';

const root = process.getuid?.() === 0;

/** What is said of a table that cannot be used. */
function refusal(toml: string): string[] {
  try {
    parseTable(toml, 'access.toml');
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message.split('\n');
  }
  throw new Error('it was accepted');
}

const certificate = (subject: [string, string][][], alternativeNames: string[] = [], fingerprint = 'ab'.repeat(32)): Identity => ({
  kind: 'certificate', name: 'some certificate',
  certificate: { subject: subject.map((part) => part.map(([type, value]) => ({ type, value }))), alternativeNames, fingerprint },
});

describe('a pattern', () => {
  it.each([
    ['lab', 'lab', true], ['lab', 'lab-1', false], ['lab-*', 'lab-', true], ['lab-*', 'lab', false], ['*', '', true], ['*-*', 'a-b', true], ['*-*', 'ab', false],
    ['a*b*c', 'abc', true], ['a*b*c', 'axxbyyc', true], ['a*b*c', 'acb', false], ['a*a', 'a', false], ['*.*', '.', true], ['a**b', 'ab', true],
    ['\\*', '*', true], ['\\*', 'x', false], ['a.b', 'axb', false], ['[ab]', 'a', false], ['*ab*ab*', 'abab', true], ['*ab*ab*', 'aba', false],
  ])('%j fits %j: %j', (pattern, text, expected) => {
    expect(fits(parsePattern(pattern), text)).toBe(expected);
  });

  it('takes no time to speak of, however hostile the text', () => {
    const started = performance.now();
    expect(fits(parsePattern('*a*a*a*a*a*a*a*a*b'), 'a'.repeat(100_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe('the pattern of a subject', () => {
  const subject = (...parts: [string, string][][]) => parts.map((part) => part.map(([type, value]) => ({ type, value })));
  it.each([
    ['CN=alice', subject([['CN', 'alice']]), true],
    ['cn=alice,O=Lab', subject([['O', 'Lab']], [['CN', 'alice']]), true],
    ['CN=alice', subject([['O', 'Lab']], [['CN', 'alice']]), false],
    // In either order; but in one.
    ['CN=alice,O=Lab', subject([['CN', 'alice']], [['O', 'Lab']]), true],
    ['CN=alice,O=Lab,C=AA', subject([['CN', 'alice']], [['C', 'AA']], [['O', 'Lab']]), false],
    ['CN=ci-*,O=Lab', subject([['O', 'Lab']], [['CN', 'ci-7']]), true],
    // T17: one value that looks like several parts stays one value.
    ['CN=bob,O=Lab', subject([['CN', 'bob,O=Lab']]), false],
    ['CN=alice', subject([['CN', 'bob,O=Lab\nCN=alice']]), false],
    ['CN=*', subject([['CN', 'bob,O=Lab\nCN=alice']]), false],
    ['CN=*', subject([['CN', 'bob,O=Lab']]), true],
    ['CN=*,O=Lab', subject([['CN', 'bob,O=Lab']]), false],
    ['CN=alice', subject([['CN', 'bob']], [['CN', 'alice']]), false],
    ['CN=alice\\,O=Lab', subject([['CN', 'alice,O=Lab']]), true],
    ['UID=7+CN=alice', subject([['CN', 'alice'], ['UID', '7']]), true],
    ['CN=alice', subject([['CN', 'alice'], ['UID', '7']]), false],
    ['CN=alice', subject([['CN', 'alice\0']]), false],
    ['CN=alice', subject(), false],
  ])('T17: %j of %j: %j', (pattern, found, expected) => {
    expect(parseSubject(pattern).matches({ subject: found, alternativeNames: [], fingerprint: '' })).toBe(expected);
  });

  it.each([
    ['DNS:*.lab.example', 'DNS:a.lab.example', true], ['DNS:*.lab.example', 'DNS:a.b.lab.example', false], ['DNS:*.lab.example', 'DNS:lab.example', false],
    ['DNS:a.example', 'URI:a.example', false], ['URI:spiffe://lab/*', 'URI:spiffe://lab/x', true], ['URI:spiffe://lab/*', 'URI:spiffe://lab/x/y', false],
    ['email:*@lab.example', 'email:a@lab.example', true], ['email:*@lab.example', 'email:a@x@lab.example', false], ['IP:10.0.0.*', 'IP:10.0.0.7', true],
  ])('T17: the alternative name %j of %j: %j', (pattern, name, expected) => {
    expect(parseAlternativeName(pattern).matches({ subject: [], alternativeNames: [name], fingerprint: '' })).toBe(expected);
  });
});

describe('an entry', () => {
  const about = (toml: string, identity: Identity, listener: Parameters<typeof isAbout>[2] = 'tls') =>
    parseTable(`[[allow]]\nrights = "read"\n${toml}`, 't').some(({ who }) => isAbout(who, identity, listener));
  const alice = as.unix(1000, 'alice', ['staff']).identity!;

  it('is about those whom all of it fits', () => {
    expect(about('user = ["bob", "alice"]', alice)).toBe(true);
    expect(about('user = "alice"\ngroup = "wheel"', alice)).toBe(false);
    expect(about('user = "alice"\ngroup = "staff"\nuid = [1000]\nlistener = "unix"', alice, 'unix')).toBe(true);
    expect(about('user = "alice"\nlistener = "unix"', alice, 'unix-readonly')).toBe(false);
    expect(about('everyone = true', { kind: 'socket', name: 'tls' })).toBe(true);
  });

  it('T24: of one kind is about nobody of another, whatever it calls itself', () => {
    const token = as.token('alice').identity!;
    expect(about('user = "alice"', token)).toBe(false);
    expect(about('token = "al*"', token)).toBe(true);
    expect(about('token = "*"', alice)).toBe(false);
    expect(about('subject = "CN=*"', { kind: 'socket', name: 'CN=alice' })).toBe(false);
    expect(about('uid = 0', { kind: 'socket', name: 'root (uid 0)' })).toBe(false);
    expect(about(`fingerprint = "${'AB:'.repeat(31)}AB"`, certificate([[['CN', 'x']]]))).toBe(true);
    expect(about('alternative_name = "DNS:*.example"', certificate([], ['DNS:b.test', 'DNS:a.example']))).toBe(true);
  });

  it('gives what its words stand for', () => {
    const [entry] = parseTable('[[allow]]\neveryone = true\nrights = ["read", "network:start"]', 't');
    expect(entry!.permissions).toEqual(new Set([...shorthands.read, 'network:start']));
    expect(shorthands.operate).not.toContain('network:write');
    for (const list of Object.values(shorthands)) expect(list).not.toContain('admin');
  });
});

describe('a table', () => {
  it('is refused with every line that is wrong', () => {
    expect(refusal(`[[allow]]
user = "alice"
rights = "write"

[[allow]]
usr = "bob"
rights = "read"
[[allow]]
subject = "alice"
fingerprint = "12"
uid = -1
listener = "ssh"
everyone = false
networks = []
`)).toEqual([
      expect.stringMatching(/^access\.toml:3: rights is "write"; "write" is no right; there are read, operate, all, connect:getattr/),
      'access.toml:5: an entry says whom it is about: user, group, uid, subject, alternative_name, fingerprint, token, listener, everyone',
      expect.stringMatching(/^access\.toml:6: unknown key 'usr'; known here: user, /),
      "access.toml:8: an entry needs 'rights'",
      "access.toml:9: subject is \"alice\"; a subject reads as TYPE=VALUE,TYPE=VALUE, such as CN=alice,O=Lab",
      'access.toml:10: fingerprint is "12"; a SHA256 fingerprint has 64 hexadecimal digits',
      'access.toml:11: uid is -1; it must be the number of an account, or a list of such',
      'access.toml:12: listener is "ssh"; it must be "unix", "unix-readonly", "tcp", "tls"',
      'access.toml:13: everyone is false; it must be true, or be left out',
      'access.toml:14: networks is []; it must be a text, or a list of texts',
    ]);
    expect(refusal('[[deny]]\nuser = "x"\n')).toEqual(["access.toml:1: unknown key 'deny'; known: [[allow]]"]);
    expect(refusal('x = = 1')[0]).toMatch(/^access\.toml:1:\d+: /);
    expect(refusal('allow = 1')[0]).toMatch(/allow must be tables/);
  });

  it('is read only from a file that nobody else can write', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vnet-access-'));
    const file = join(folder, 'access.toml');
    const load = () => loadTable(file, 'vnet');
    const builtIn = await load();
    await writeFile(file, '[[allow]]\neveryone = true\nrights = "read"\n', { mode: 0o644 });
    expect(await load()).toHaveLength(builtIn.length + 1);
    for (const mode of [0o664, 0o646]) {
      await chmod(file, mode);
      await expect(load()).rejects.toThrow(/others may write it.*chmod go-w/);
    }
    await chmod(file, 0o600);
    if (root) {
      await chown(file, 12345, 0);
      await expect(load()).rejects.toThrow(/belongs to the account 12345/);
      await chown(file, 0, 0);
    }
    await writeFile(file, `#${'x'.repeat(256 * 1024)}`);
    await expect(load()).rejects.toThrow(/at most 262144 are read/);
    await rm(file);
    await symlink('/etc/passwd', file);
    await expect(load()).rejects.toThrow(/symbolic link/);
    await rm(file);
    await mkdir(file);
    await expect(load()).rejects.toThrow(/no regular file/);
    await rm(folder, { recursive: true });
  });
});

describe('without an entry', () => {
  const probe = async (toml: string, who: Parameters<Awaited<ReturnType<typeof serve>>['call']>[0]) => {
    const served = await serve(toml);
    const code = async (key: string, request: object) => {
      const { error } = await served.call(who, key, request);
      return error === undefined ? 'OK' : ErrorCode[error.code];
    };
    const network = { name: 'private', uuid: '' };
    return [await code('networkIsActive', { network }), await code('networkCreate', { network }), await code('getLogLevel', {})];
  };

  it.each([
    ['root by the read-write socket', as.unix(0, 'root'), ['OK', 'OK', 'OK']],
    ['the socket\'s group', as.unix(1000, 'alice', ['vnet']), ['OK', 'OK', 'ACCESS_DENIED']],
    ['whom the socket let in, if it cannot be told who it is', as.nobody('unix'), ['OK', 'OK', 'ACCESS_DENIED']],
    ['an account that is of no use here', as.unix(1000, 'alice', ['staff']), ['ACCESS_DENIED', 'ACCESS_DENIED', 'ACCESS_DENIED']],
    ['a token on the unix socket', { listener: 'unix', identity: as.token('x').identity! } as const, ['ACCESS_DENIED', 'ACCESS_DENIED', 'ACCESS_DENIED']],
    ['everyone by the read-only socket', as.unix(1000, 'alice', [], 'unix-readonly'), ['OK', 'OPERATION_DENIED', 'ACCESS_DENIED']],
    ['root by the read-only socket', as.unix(0, 'root', [], 'unix-readonly'), ['OK', 'OPERATION_DENIED', 'ACCESS_DENIED']],
    ['tcp', as.nobody('tcp'), ['OK', 'OK', 'ACCESS_DENIED']],
    ['tls', { listener: 'tls', identity: certificate([[['CN', 'root']]]) } as const, ['ACCESS_DENIED', 'ACCESS_DENIED', 'ACCESS_DENIED']],
  ])('%s may what it may', async (_, who, expected) => {
    expect(await probe('', who)).toEqual(expected);
  });

  it('what holds for a way in ends where the table names it, but for root', async () => {
    expect(await probe('[[allow]]\nlistener = "tcp"\nrights = "read"', as.nobody('tcp'))).toEqual(['OK', 'ACCESS_DENIED', 'ACCESS_DENIED']);
    const unix = '[[allow]]\nlistener = "unix"\ngroup = "vnet"\nrights = "read"';
    expect(await probe(unix, as.unix(1000, 'alice', ['vnet']))).toEqual(['OK', 'ACCESS_DENIED', 'ACCESS_DENIED']);
    expect(await probe(unix, as.nobody('unix'))).toEqual(['ACCESS_DENIED', 'ACCESS_DENIED', 'ACCESS_DENIED']);
    expect(await probe(unix, as.unix(0, 'root'))).toEqual(['OK', 'OK', 'OK']);
    expect(await probe(unix, as.nobody('tcp'))).toEqual(['OK', 'OK', 'ACCESS_DENIED']);
  });

  it('a table that is read again holds from the next call on, and a bad one leaves the last good one', async () => {
    const served = await serve('[[allow]]\ntoken = "ci"\nrights = "read"');
    const who = as.token('ci');
    const start = async () => (await served.call(who, 'networkCreate', { network: { name: 'private', uuid: '' } })).error?.code;
    expect(await start()).toBe(ErrorCode.ACCESS_DENIED);
    await expect(served.setTable('[[allow]]\ntoken = "ci"\nrights = "everything"')).rejects.toThrow(ConfigError);
    expect(await start()).toBe(ErrorCode.ACCESS_DENIED);
    await served.setTable('[[allow]]\ntoken = "ci"\nrights = "all"');
    expect(await start()).toBeUndefined();
  });
});
