/** Who a certificate says that somebody is, and the patterns that let somebody in: names that mean to deceive above all. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatSubject, readIdentity, type CertificateIdentity } from '../../../server/identity/certificate.js';
import { parsePattern, patternProblem } from '../../../server/identity/certificate-pattern.js';
import { readRevocationList, isRevoked } from '../../../server/identity/revocation-list.js';
import { openFolder } from '../../processes.js';
import { openAuthority, type Authority, type Leaf } from '../../pki.js';

let folder: Awaited<ReturnType<typeof openFolder>>;
let authority: Authority;
beforeAll(async () => {
  folder = await openFolder();
  authority = await openAuthority(folder.path);
}, 60_000);
afterAll(() => folder.close());

const load = async (name: string) => new X509Certificate(await readFile(join(folder.path, `${name}.pem`)));
let made = 0;
const issue = async (leaf: Leaf) => {
  const name = `leaf${made += 1}`;
  await authority.issue(name, leaf);
  return load(name);
};
/** An identity with this subject, the most general part first. */
const subject = (...parts: [string, string][][]): CertificateIdentity => ({
  subject: parts.map((part) => part.map(([type, value]) => ({ type, value }))), alternativeNames: [], fingerprint: 'ab'.repeat(32),
});
const named = (...alternativeNames: string[]): CertificateIdentity => ({ ...subject([['CN', 'x']]), alternativeNames });

describe('a certificate', () => {
  it('T17: is read part by part, whatever characters are in it', async () => {
    const certificate = await issue({ subject: '/C=DE/DC=example/O=Lab, Inc \\+ Söhne/OU=a\\/b=c/CN=bob,O=Lab\nCN=alice' });
    expect(readIdentity(certificate).subject).toEqual([
      [{ type: 'C', value: 'DE' }], [{ type: 'DC', value: 'example' }], [{ type: 'O', value: 'Lab, Inc + Söhne' }],
      [{ type: 'OU', value: 'a/b=c' }], [{ type: 'CN', value: 'bob,O=Lab\nCN=alice' }],
    ]);
    expect(formatSubject(readIdentity(certificate).subject)).toBe('CN=bob\\,O\\=Lab\\0ACN\\=alice,OU=a/b\\=c,O=Lab\\, Inc \\+ Söhne,DC=example,C=DE');
  });

  it('T17: can have several values in one part', async () => {
    const identity = readIdentity(await issue({ subject: '/O=Lab/CN=alice+UID=7' }));
    expect(identity.subject[1]).toHaveLength(2);
    expect(parsePattern('UID=7+CN=alice,O=Lab').matches(identity)).toBe(true);
    expect(parsePattern('CN=alice,O=Lab').matches(identity)).toBe(false);
  });

  it('tells its alternative names by their kinds, and its fingerprint', async () => {
    const certificate = await issue({ san: 'DNS:web.lab.example,IP:192.0.2.7,IP:2001:db8::1,URI:spiffe://lab/web,email:me@lab.example' });
    const { alternativeNames, fingerprint } = readIdentity(certificate);
    expect(alternativeNames).toEqual(['DNS:web.lab.example', 'IP:192.0.2.7', 'IP:2001:db8::1', 'URI:spiffe://lab/web', 'email:me@lab.example']);
    expect(parsePattern(`SHA256:${certificate.fingerprint256}`).matches(readIdentity(certificate))).toBe(true);
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('a pattern', () => {
  const alice = subject([['C', 'DE']], [['O', 'Lab']], [['CN', 'alice']]);

  it.each([
    ['CN=alice,O=Lab,C=DE', true], ['C=DE,O=Lab,CN=alice', true], ['cn = alice, o = Lab, c = DE', true], ['CN=*,O=Lab,C=DE', true],
    ['CN=al*ce,O=L*b,C=*', true], ['CN=alice', false], ['CN=alice,O=Lab', false], ['CN=Alice,O=Lab,C=DE', false], ['CN=*', false], ['O=Lab,CN=alice,C=DE', false],
    ['CN=alice\\*,O=Lab,C=DE', false], ['CN=a\\6cice,O=Lab,C=DE', true], ['OU=alice,O=Lab,C=DE', false], ['CN=alicealice*,O=Lab,C=DE', false],
    ['CN=alic*lice,O=Lab,C=DE', false],
  ])('T17: %s: %s', (pattern, expected) => {
    expect(parsePattern(pattern).matches(alice)).toBe(expected);
  });

  it.each([
    ['one value cannot pose as two parts', subject([['CN', 'alice,O=Lab']])],
    ['nor with a new line', subject([['CN', 'alice\nO=Lab']])],
    ['a star does not reach into another part', subject([['O', 'Lab']], [['OU', 'x']], [['CN', 'alice']])],
    ['a star is no control character', subject([['O', 'Lab']], [['CN', 'alice\0.evil']])],
    ['a part with several values is not one with one', subject([['O', 'Lab']], [['CN', 'alice'], ['CN', 'root']])],
    ['a repeated part is not one', subject([['O', 'Lab']], [['CN', 'alice']], [['CN', 'alice']])],
  ])('T17: is not deceived: %s', (_, forged) => {
    for (const pattern of ['CN=alice*,O=Lab', 'CN=*,O=Lab', 'CN=alice,O=Lab']) expect(parsePattern(pattern).matches(forged)).toBe(false);
  });

  it.each([
    ['DNS:*.lab.example', 'DNS:web.lab.example', true], ['DNS:*.lab.example', 'DNS:WEB.Lab.Example', true], ['DNS:*.lab.example', 'DNS:a.b.lab.example', false],
    ['DNS:*.lab.example', 'DNS:lab.example', false], ['DNS:*.lab.example', 'DNS:.lab.example', false], ['DNS:*.lab.example', 'DNS:evil\0.lab.example', false],
    ['DNS:*.lab.example', 'URI:web.lab.example', false], ['DNS:web*.lab.example', 'DNS:web1.lab.example', true],
    ['URI:spiffe://lab/*', 'URI:spiffe://lab/web', true], ['URI:spiffe://lab/*', 'URI:spiffe://lab/web/admin', false], ['URI:spiffe://*/web', 'URI:spiffe://evil/x/web', false],
    ['IP:192.0.2.7', 'IP:192.0.2.7', true], ['IP:192.0.2.7', 'DNS:192.0.2.7', false], ['email:*@lab.example', 'email:me@lab.example', true],
    ['email:*@lab.example', 'email:me@lab.example.evil', false],
  ])('T17: %s against %s: %s', (pattern, name, expected) => {
    expect(parsePattern(pattern).matches(named(name))).toBe(expected);
  });

  it.each(['', 'alice', 'CN', 'CN=a,', 'CN=a\\', 'DNS:', 'SHA256:12', 'CN=a\nO=b'])('%j is none', (text) => {
    expect(patternProblem(text)).toMatch(/\w/);
  });
});

describe('a revocation list', () => {
  it('T18: names certificates, knows its CA, and when it ends', async () => {
    const [good, bad] = [await issue({}), await issue({})];
    await authority.revoke(`leaf${made}`);
    const path = join(folder.path, 'crl.pem');
    await authority.list(path, { to: '20991231000000Z' });
    const list = readRevocationList(Buffer.from((await readFile(path, 'latin1')).replace(/-----[^-]+-----|\s/g, ''), 'base64'));
    expect({ good: isRevoked(good, [list]), bad: isRevoked(bad, [list]) }).toEqual({ good: false, bad: true });
    expect(list.nextUpdate).toEqual(new Date('2099-12-31T00:00:00Z'));
    const other = await openAuthority(join(folder.path, 'other'));
    expect(list.isSignedBy(await load('ca'))).toBe(true);
    expect(list.isSignedBy(new X509Certificate(await readFile(join(other.folder, 'ca.pem'))))).toBe(false);
  });
});
