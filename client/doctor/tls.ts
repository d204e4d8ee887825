/**
 * Lives here: what is wrong with a TLS connection to a daemon, from the first
 * step that fails: the way there, the handshake, the daemon's certificate, what
 * it thinks of ours, and whether it is a vnetd at all. Does not know: gRPC.
 */
import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { checkServerIdentity, connect } from 'node:tls';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { VnetUri } from '../../shared/uri.js';
import type { Diagnosis } from '../diagnosis.js';
import { clientPreface, explainNoConnection, isHttp2, patienceMs, reach, refusalIn } from './reach.js';
import { examineDates, examineFiles, isSignedBy, nameIn, type OwnFiles } from './tls-files.js';

type TlsUri = Extract<VnetUri, { scheme: 'tls' }>;

/** What came of shaking hands. */
interface Handshake {
  /** What the other end showed; absent if it did not come to that. */
  shown?: { certificate: X509Certificate; distrust: string | undefined; protocol: string; alpn: string | false };
  /** What was said first inside; absent if nothing was. */
  bytes?: Buffer;
  /** What ended it; absent if it lasts. */
  error?: NodeJS.ErrnoException;
}

/**
 * Looks at a TLS connection, step by step.
 *
 * @param failure what came of connecting as usual, if that failed
 */
export async function examineTls(uri: TlsUri, failure?: unknown): Promise<Diagnosis[]> {
  const own = await examineFiles(uri.pki);
  const reached = await reach(uri);
  if ('code' in reached) return [...own.findings, explainNoConnection(uri, reached, 'tls')];
  const hands = await shakeHands(uri, own);
  if (hands.shown === undefined) return [...own.findings, explainNoHandshake(uri, reached.bytes, hands.error)];
  const theirs = examineShown(uri, hands.shown, own);
  return [...own.findings, ...theirs, ...examineWelcome(uri, hands, own, failure)];
}

/** Connects whatever the other end shows, and waits for its first bytes. */
function shakeHands({ host, port }: TlsUri, { ca, pair }: OwnFiles): Promise<Handshake> {
  return new Promise((resolve) => {
    const result: Handshake = {};
    const socket = connect({
      host, port, ALPNProtocols: ['h2'], rejectUnauthorized: false, checkServerIdentity: () => undefined,
      ...(isIP(host) === 0 ? { servername: host } : {}), ...(ca === undefined ? {} : { ca }), ...pair,
    });
    const settle = () => {
      clearTimeout(patience);
      socket.destroy();
      resolve(result);
    };
    const patience = setTimeout(settle, patienceMs);
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate();
      if (certificate === undefined) return settle();
      // The library says "Error", and has the code in its place.
      const distrust = socket.authorized ? undefined : String((socket.authorizationError as unknown as NodeJS.ErrnoException).code ?? socket.authorizationError);
      result.shown = { certificate, distrust, protocol: socket.getProtocol() ?? '', alpn: socket.alpnProtocol || false };
      socket.write(clientPreface);
    });
    socket.once('data', (bytes: Buffer) => { result.bytes = bytes; settle(); });
    socket.once('error', (error: NodeJS.ErrnoException) => { result.error = error; settle(); });
    socket.once('close', settle);
  });
}

/** Why it did not come to a handshake with somebody who is there. */
function explainNoHandshake({ host, port }: TlsUri, plain: Buffer, error: NodeJS.ErrnoException | undefined): Diagnosis {
  const place = `${host}:${port}`;
  if (isHttp2(plain)) return { severity: 'error', check: 'tls', message: `${place} speaks without TLS`, advice: `it may be vnetd's other port: vnet+tcp://${host}:${port}/system; TLS is on 16614 by default` };
  const words = `${error?.code ?? ''} ${error?.message ?? ''}`;
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|unsupported protocol|protocol version|LEGACY_SIGALG|NO_PROTOCOLS/i.test(words)) {
    return { severity: 'error', check: 'tls-version', message: `${place} knows only TLS older than 1.2`, advice: `no vnetd does that: is it one? openssl s_client -connect ${place}` };
  }
  const alert = explainAlert(words, undefined);
  if (alert !== undefined) return alert;
  if (/NO_APPLICATION_PROTOCOL|no application protocol/i.test(words)) {
    return { severity: 'error', check: 'protocol', message: `${place} speaks TLS, but not HTTP/2: it is no vnetd`, advice: 'is the port right? vnetd\'s is 16614 by default' };
  }
  if (plain.length > 0 || /WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST|record|ECONNRESET|disconnected/i.test(words)) {
    return { severity: 'error', check: 'tls', message: `whoever listens on ${place} does not speak TLS`, advice: `is the port right? vnetd's is 16614 by default; openssl s_client -connect ${place}` };
  }
  return { severity: 'error', check: 'tls', message: `no TLS handshake with ${place}: ${error?.message ?? `no answer in ${patienceMs / 1000} s`}`, advice: `openssl s_client -connect ${place}` };
}

/** Whether the daemon's certificate is one to believe. */
function examineShown({ host, pki, port }: TlsUri, { certificate, distrust }: NonNullable<Handshake['shown']>, own: OwnFiles): Diagnosis[] {
  const subject = nameIn(certificate.subject);
  const findings = examineDates(certificate, `the daemon's certificate (${subject})`, 'tls-certificate', 'server');
  if (checkServerIdentity(host, certificate.toLegacyObject()) !== undefined) {
    const names = (certificate.subjectAltName ?? '').split(', ').filter((name) => name !== '');
    const [, usable] = /(?:DNS|IP Address):(.+)/.exec(names[0] ?? '') ?? [];
    findings.push({
      severity: 'error', check: 'tls-name', message: `the daemon's certificate is not for '${host}' but for ${names.join(', ') || `nothing (only its subject says ${subject})`}`,
      advice: `${usable === undefined || usable.startsWith('*') ? '' : `use a name that it is for: vnet+tls://${usable.includes(':') ? `[${usable}]` : usable}:${port}/system; or `}have '${host}' in it: vnet pki issue server '${subject}' --san ${host} --force`,
    });
  }
  if (own.ca !== undefined && own.authority !== undefined) findings.push(...examineTrust(certificate, distrust, own.authority, pki.ca));
  return findings.length > 0 ? findings : [{ severity: 'ok', check: 'tls-certificate', message: `the daemon's certificate is good: ${subject}, until ${new Date(certificate.validTo).toISOString().slice(0, 10)}` }];
}

/** Whether our CA vouches for it. */
function examineTrust(certificate: X509Certificate, distrust: string | undefined, authority: X509Certificate, path: string): Diagnosis[] {
  const [issuer, ours] = [nameIn(certificate.issuer), nameIn(authority.subject)];
  const fetch = `copy the ca.pem of the daemon's authority to ${path}`;
  switch (distrust) {
    case undefined: case 'CERT_NOT_YET_VALID': case 'CERT_HAS_EXPIRED':
      return distrust === undefined ? [] : examineDates(authority, `the CA's certificate ${path}`, 'tls-ca', 'ca');
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return [{ severity: 'error', check: 'tls-ca', message: `the daemon's certificate is self-signed, and ${path} does not know it`, advice: `have one issued: vnet pki issue server NAME; or, if you are sure that it is the right one, put it into ${path}` }];
    case 'INVALID_PURPOSE':
      return [{ severity: 'error', check: 'tls-certificate', message: 'the daemon\'s certificate is not for servers: its extended key usage lacks serverAuth', advice: 'vnet pki issue server NAME' }];
    case 'CERT_SIGNATURE_FAILURE':
      return [{ severity: 'error', check: 'tls-ca', message: `the daemon's certificate names '${issuer}' as its CA, but ${path} is another CA of that name: it was made anew, or one is false`, advice: fetch }];
    default:
      return [issuer === ours && !isSignedBy(certificate, authority)
        ? { severity: 'error', check: 'tls-ca', message: `the daemon's certificate names '${issuer}' as its CA, but ${path} is another CA of that name: it was made anew, or one is false`, advice: fetch }
        : { severity: 'error', check: 'tls-ca', message: `the daemon's certificate was signed by '${issuer}', which ${path} ('${ours}') does not know: ${distrust}`, advice: fetch }];
  }
}

/** Whether the daemon lets us in, and is one. */
function examineWelcome({ host, port }: TlsUri, { shown, bytes, error }: Handshake, own: OwnFiles, failure: unknown): Diagnosis[] {
  const who = own.pair === undefined || own.certificate === undefined ? undefined : nameIn(own.certificate.subject);
  if (bytes !== undefined && isHttp2(bytes) && shown?.alpn === 'h2') {
    const said = refusalIn(bytes);
    if (said !== undefined) return [who === undefined ? wanted : explainRefusal(who, said, own)];
    const refused = failure instanceof NetworkError && [ErrorCode.AUTH_FAILED, ErrorCode.ACCESS_DENIED, ErrorCode.OPERATION_DENIED].includes(failure.code);
    return refused && who !== undefined
      ? [{ severity: 'error', check: 'tls-authorization', message: `the daemon knows the certificate of '${who}', and refuses it: ${failure.message}`, advice: failure.hint ?? listIt(own) }]
      : [{ severity: 'ok', check: 'tls', message: `${shown.protocol} with ${host}:${port}, shown as ${who ?? 'nobody'}` }];
  }
  if (bytes !== undefined || shown?.alpn !== 'h2') {
    return [{ severity: 'error', check: 'protocol', message: `${host}:${port} speaks TLS, but not HTTP/2: it is no vnetd`, advice: 'is the port right? vnetd\'s is 16614 by default' }];
  }
  const alert = explainAlert(`${error?.code ?? ''} ${error?.message ?? ''}`, who);
  if (alert !== undefined) return [alert];
  return [who === undefined
    ? wanted
    : { severity: 'error', check: 'tls-authorization', message: `the daemon closed the connection when it had seen the certificate of '${who}'`, advice: `its log says why; most likely its CA is another one than ours, its clock is wrong, or it was revoked; or ${listIt(own)}` }];
}

/** What a daemon tells a client that it does not let in. */
function explainRefusal(who: string, said: string, own: OwnFiles): Diagnosis {
  const [, why] = /^vnetd lets nobody in here like this: (.*)$/s.exec(said) ?? [];
  return {
    severity: 'error', check: 'tls-authorization', message: `the daemon refuses the certificate of '${who}'${why === undefined ? '' : `: ${why}`}`,
    advice: `compare the clocks, and the ca.pem here and there; or ${listIt(own)} (in [tls] allowed)`,
  };
}

const wanted: Diagnosis = { severity: 'error', check: 'tls-authorization', message: 'the daemon wants a client certificate, and this client has none that it can show', advice: 'have one issued: vnet pki issue client NAME; then name its folder: ?pkipath=DIR' };

/** What a TLS alert says of our certificate; undefined if it says nothing of it. */
function explainAlert(words: string, who: string | undefined): Diagnosis | undefined {
  if (/CERTIFICATE_REQUIRED|certificate required|PEER_DID_NOT_RETURN/i.test(words)) return wanted;
  const reasons: [RegExp, string, string][] = [
    [/ALERT_UNKNOWN_CA|unknown ca/i, 'it does not know the CA that signed it', 'have it issued by the authority whose ca.pem the daemon has'],
    [/ALERT_CERTIFICATE_EXPIRED|certificate expired/i, 'by its clock it has expired, or does not hold yet', 'compare the clocks, here and there: date -u'],
    [/ALERT_CERTIFICATE_REVOKED|certificate revoked/i, 'it was revoked', 'have a new one issued: vnet pki issue client NAME --force'],
    [/ALERT_ACCESS_DENIED|access denied/i, 'it is not on its list', 'have it listed there'],
    [/ALERT_(BAD|UNSUPPORTED)_CERTIFICATE|ALERT_CERTIFICATE_UNKNOWN|bad certificate|certificate unknown/i, 'it does not take it', 'the daemon\'s log says why'],
  ];
  const found = reasons.find(([pattern]) => pattern.test(words));
  return found && { severity: 'error', check: 'tls-authorization', message: `the daemon refuses the certificate of ${who === undefined ? 'this client' : `'${who}'`}: ${found[1]}`, advice: found[2] };
}

function listIt({ certificate }: OwnFiles): string {
  return `have it listed there, with its subject: ${certificate?.subject.replaceAll('\n', ',') ?? ''}`;
}
