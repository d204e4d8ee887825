/**
 * Lives here: who is let in over TLS by a certificate, when it connects and
 * whenever the rules change. Does not know: handshakes, sockets, what may be
 * called.
 */
import type { X509Certificate } from 'node:crypto';
import type { Identity } from '../connections.js';
import { formatSubject, readIdentity } from './certificate.js';
import { parsePattern, type CertificatePattern } from './certificate-pattern.js';
import { isRevoked, type RevocationList } from './revocation-list.js';

/** What decides. */
export interface Rules {
  authorities: readonly X509Certificate[];
  revoked: readonly RevocationList[];
  /** Patterns; undefined: whoever the CAs vouch for. An empty list lets nobody in. */
  allowed?: readonly string[] | undefined;
  requireClientCertificate: boolean;
}

/** Decides. */
export class Admission {
  readonly #rules: Rules;
  readonly #patterns: readonly CertificatePattern[] | undefined;

  constructor(rules: Rules) {
    this.#rules = rules;
    this.#patterns = rules.allowed?.map(parsePattern);
  }

  /**
   * Why whoever shows this certificate is not let in, the handshake's verdict
   * apart; undefined if it is.
   */
  refusal(certificate: X509Certificate | undefined): string | undefined {
    if (certificate === undefined) return this.#rules.requireClientCertificate ? 'it shows no certificate' : undefined;
    if (this.#patterns === undefined) return undefined;
    const identity = readIdentity(certificate);
    return this.#patterns.some((pattern) => pattern.matches(identity)) ? undefined : 'its certificate is none of those that are allowed';
  }

  /** Why a connection that was let in must end now; undefined if it may stay. */
  objection(certificate: X509Certificate | undefined, now = new Date()): string | undefined {
    const refused = this.refusal(certificate);
    if (refused !== undefined || certificate === undefined) return refused;
    if (now > new Date(certificate.validTo)) return 'its certificate has expired';
    const chain = chainOf(certificate);
    if (chain.some((one) => isRevoked(one, this.#rules.revoked))) return 'its certificate is revoked';
    return chain.some((one) => this.#rules.authorities.some((authority) => isIssuedBy(one, authority))) ? undefined : 'its CA is trusted no more';
  }
}

/** Who a certificate's owner is to the daemon. */
export function identityOf(certificate: X509Certificate): Identity {
  const identity = readIdentity(certificate);
  return { kind: 'certificate', name: formatSubject(identity.subject) || `SHA256:${identity.fingerprint}`, certificate: identity };
}

/** A certificate and those that came with it, each the issuer of the one before. */
function chainOf(certificate: X509Certificate): X509Certificate[] {
  const chain = [certificate];
  for (let next = certificate.issuerCertificate; next !== undefined && chain.length < 10; next = next.issuerCertificate) {
    if (chain.at(-1)!.fingerprint256 === next.fingerprint256) break;
    chain.push(next);
  }
  return chain;
}

function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}
