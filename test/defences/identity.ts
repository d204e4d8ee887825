/**
 * Lives here: the defences against who is another than it says, T16 to T19,
 * T23 and T24. Does not know: how a test is run.
 */
import { defence, type Defence } from './defence.js';

const door = 'server/tls.ts';
const files = 'server/identity/tls-files.ts';
const admission = 'server/identity/admission.ts';
const pattern = 'server/identity/certificate-pattern.ts';
const peers = 'server/identity/unix-peers.ts';

const tls = 'test/interop/identity-tls.test.ts';
const certificates = 'test/unit/server/certificates.test.ts';
const sockets = 'test/unit/server/sockets.test.ts';
const callers = 'test/interop/identity-callers.test.ts';

const verdict = [door, 'certificate !== undefined && !secured.authorized ? verdict(secured) : refusal(certificate)', 'refusal(certificate)'] as const;
const notDeceived = [certificates, 'T17: is not deceived'] as const;
const goes = [tls, 'T18: goes within two seconds if it %s'] as const;
const onHangup = [tls, 'T18: are taken on SIGHUP'] as const;

export const ofIdentity: readonly Defence[] = [
  defence('T16', 'what a handshake finds wrong is minded', verdict, [tls, 'T16: is refused with a certificate that is no good']),
  defence('T16', 'what is wrong with a chain, too', verdict, [tls, 'T16: is refused with a chain']),
  defence('T16', 'there must be a certificate',
    [admission, "this.#rules.requireClientCertificate ? 'it shows no certificate' : undefined", 'undefined'], [tls, 'T16: is refused with a certificate that is no good']),
  defence('T16', 'TLS is new enough', [door, 'minVersion: `TLSv${tls.minimumVersion}`', "minVersion: 'TLSv1'"], [tls, 'T16: must speak TLS 1.2']),

  defence('T17', 'a star reaches no control character',
    [pattern, "if (value === '' || /\\p{Cc}/u.test(value) || ", "if (value === '' || "], notDeceived),
  defence('T17', 'a subject has as many parts as its pattern', [pattern, 'subject.length === parts.length && (', '('], notDeceived),
  defence('T17', 'a part has as many values as its pattern', [pattern, 'return pattern.length === part.length && pattern.every', 'return pattern.every'], notDeceived),
  defence('T17', 'a star reaches across no dot',
    [pattern, 'const partsOf = (value: string) => (between === undefined ? [value] : value.split(between));', 'const partsOf = (value: string) => [value];'],
    [certificates, 'T17: %s against %s']),
  defence('T17', 'an empty list lets nobody in',
    [admission, 'if (this.#patterns === undefined) return undefined;', 'if (this.#patterns === undefined || this.#patterns.length === 0) return undefined;'],
    [tls, 'T17: is let in by a list']),
  defence('T17', 'a name in the log is escaped',
    ['server/identity/certificate.ts', "return value.replace(/[,+\"\\\\<>;=]/g, '\\\\$&')", 'return value'], [certificates, 'T17: is read part by part']),

  defence('T18', 'whoever is inside is looked at again',
    [door, '        admission = admissionOf(config.tls, files);\n        recheck();', '        admission = admissionOf(config.tls, files);'], goes),
  defence('T18', 'by the list of those that are revoked',
    [admission, "if (chain.some((one) => isRevoked(one, this.#rules.revoked))) return 'its certificate is revoked';", ''], goes),
  defence('T18', 'and by the CAs', [admission, ": 'its CA is trusted no more';", ': undefined;'], [tls, 'T18: goes if its CA is trusted no more']),
  defence('T18', 'nobody resumes a session',
    [door, 'secureOptions: constants.SSL_OP_NO_TICKET', 'secureOptions: constants.SSL_OP_NO_SSLv3'], [tls, 'T18: cannot resume a session']),
  defence('T18', 'files that let nobody in are not taken',
    [door, "if (fresh.untimely.length > 0) throw new Error(fresh.untimely.join('; '));", ''], onHangup),
  defence('T18', 'a key that does not fit is not taken', [files, '  checkOwn(tls, own!, key);\n', ''], [tls, 'T18: are taken without a lost call']),
  defence('T18', 'a list is one of a CA in use',
    [files, 'if (named.length === 0) throw new Error(`${path}: none of the CAs in use made this list`);', ''], onHangup),

  defence('T19', 'a client looks for the name of its server',
    ['client/channel.ts', 'checkServerIdentity: (_, shown) => checkServerIdentity(host, shown)', "checkServerIdentity: () => (host === '' ? new Error() : undefined)"],
    ['test/interop/daemon.test.ts', 'T19: is refused by a client that does not trust']),
  defence('T19', 'no word for ssh begins with a dash',
    ['shared/uri.ts', "if (value.startsWith('-') && name !== 'command') throw", "if (value === '--' && name !== 'command') throw"],
    ['test/unit/shared/uri.test.ts', 'T19: %s is refused']),
  defence('T19', 'words for ssh have plain characters',
    ['shared/uri.ts', 'if (!allowed.test(value)) throw', 'if (value.length > 1e6) throw'], ['test/unit/shared/uri.test.ts', 'T19: %s is refused']),
  defence('T19', 'after the host there are no options',
    ['client/ssh.ts', "    '--', host,\n", '    host,\n'], ['test/unit/client/ssh-failure.test.ts', 'T19: ssh gets words']),

  defence('T23', 'nobody can open a socket before it has its mode',
    ['server/listen.ts', 'process.umask(0o177)', 'process.umask(0o000)'], [sockets, 'T23: nobody else can open one']),
  defence('T23', 'and then those for whom it is',
    ['server/listen.ts', '      await chmod(path, mode);\n', '      await chmod(path, 0o777);\n'], [sockets, 'T23: nobody else can open one']),
  defence('T23', 'what is no socket is left alone',
    ['server/stale-socket.ts', 'if (!info.isSocket()) throw new Error(`${path} exists and is no socket: it is left alone`);', ''], [sockets, 'T23: a link at the place of']),

  defence('T24', 'nobody is let in unknown',
    [peers, 'identify: async (socket) => {\n      const credentials = await reader.read(socket);',
      'identify: async (socket, unknown) => {\n      const credentials = await reader.read(socket).catch(() => undefined);\n      if (credentials === undefined) return unknown;'],
    ['test/unit/server/callers.test.ts', 'T24: are not let in when the kernel is asked in vain']),
  defence('T24', 'the kernel says who connected',
    [peers, 'const credentials = await reader.read(socket);', 'const credentials = { ...await reader.read(socket), uid: process.getuid!() };'],
    [callers, 'T24: whoever gets a socket from another account']),
  defence('T24', 'an account of another namespace is none', [peers, 'uid === overflow ? { user: undefined, groups: [] } : await', 'await'],
    [callers, 'T24: and another account another one']),
  defence('T24', 'an entry about one kind is about no other',
    ['server/access/rights.ts', '(pattern) => token !== undefined && fits(pattern, token)', "(pattern) => fits(pattern, token ?? unix?.user ?? '')"],
    ['test/unit/access/table.test.ts', 'T24: of one kind is about nobody of another']),
];
