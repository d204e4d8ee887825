/**
 * Lives here: what a caller may do: the entries of an access table that are
 * about it, added up. Does not know: files, procedures, networks that exist.
 *
 * An entry only ever allows. What several entries allow adds up; nothing takes
 * anything away. So the order of a table means nothing, and one can be read
 * entry by entry.
 */
import type { Identity, ListenerKind } from '../connections.js';
import type { CertificatePattern } from '../identity/certificate-pattern.js';
import { fits, type Pattern } from './pattern.js';
import { shorthands, type Permission } from './permissions.js';

/** Whom an entry is about: everything that is given must fit. */
export interface Who {
  users?: readonly string[];
  groups?: readonly string[];
  uids?: readonly number[];
  subjects?: readonly CertificatePattern[];
  alternativeNames?: readonly CertificatePattern[];
  fingerprints?: readonly CertificatePattern[];
  tokens?: readonly Pattern[];
  listeners?: readonly ListenerKind[];
  /** A socket's peer that cannot be told from others: the socket's mode has decided. */
  nameless?: true;
}

/** One entry of an access table. */
export interface Entry {
  who: Who;
  permissions: ReadonlySet<Permission>;
  /** On networks with these names; undefined: on all. */
  networks?: readonly { readonly text: string; readonly pattern: Pattern }[];
}

/** Whether an entry is about this caller. */
export function isAbout(who: Who, identity: Identity, listener: ListenerKind): boolean {
  const { unix, certificate, token } = identity;
  const some = <T>(list: readonly T[] | undefined, holds: (item: T) => boolean) => list === undefined || list.some(holds);
  return some(who.users, (user) => unix?.user === user)
    && some(who.groups, (group) => unix?.groups.includes(group) ?? false)
    && some(who.uids, (uid) => unix?.uid === uid)
    && [who.subjects, who.alternativeNames, who.fingerprints].every((patterns) => some(patterns, (pattern) => certificate !== undefined && pattern.matches(certificate)))
    && some(who.tokens, (pattern) => token !== undefined && fits(pattern, token))
    && some(who.listeners, (one) => one === listener)
    && (who.nameless === undefined || identity.kind === 'socket');
}

/** What one caller may do. */
export class Rights {
  readonly entries: readonly Entry[];
  /** It may do everything with every network. */
  readonly everything: boolean;

  constructor(entries: readonly Entry[]) {
    this.entries = entries;
    const everywhere = new Set(entries.flatMap(({ networks, permissions }) => (networks === undefined ? [...permissions] : [])));
    this.everything = shorthands.all.every((permission) => everywhere.has(permission));
  }

  /** The first of these permissions that it has nowhere. */
  missingEverywhere(needs: readonly Permission[]): Permission | undefined {
    return needs.find((permission) => !this.entries.some(({ permissions }) => permissions.has(permission)));
  }

  /**
   * The first of these permissions that it does not have on a network of this
   * name. What is not about a network it has for all or for none.
   */
  missing(needs: readonly Permission[], name: string): Permission | undefined {
    if (this.everything) return needs.find((permission) => permission === 'admin' && this.missingEverywhere([permission]) !== undefined);
    return needs.find((permission) => !this.entries.some(({ permissions, networks }) =>
      permissions.has(permission) && (networks === undefined || !isAboutNetworks(permission) || networks.some(({ pattern }) => fits(pattern, name)))));
  }

  /** Whether it has all of these permissions on a network of this name. */
  may(needs: readonly Permission[], name: string): boolean {
    return this.missing(needs, name) === undefined;
  }

  /** Whether a network of this name is there for it. */
  sees(name: string): boolean {
    return this.everything || this.may(['network:getattr'], name);
  }
}

function isAboutNetworks(permission: Permission): boolean {
  return permission.startsWith('network');
}
