/**
 * Lives here: the calls about the daemon itself: who is there, who is asking,
 * how much is logged. Does not know: who may call them, sockets, the log.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { Admin, CallerIdentity, Client, Right } from '../../shared/gen/vnet/v1/admin.js';
import type { Call } from '../calls.js';
import type { Connection, Connections, Identity } from '../connections.js';
import type { Access } from './access.js';
import type { Rights } from './rights.js';

/** The levels of the log, the most talkative first. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;

/** How much is logged. A pino logger is one. */
export interface Leveled {
  level: string;
}

/** What the calls about the daemon are about. */
export interface Daemon {
  connections: Connections;
  access: Access;
  log: Leveled;
}

/** The calls about the daemon, as one caller makes them. */
export function adminFor(call: Call, { connections, access, log }: Daemon): Admin {
  return {
    whoAmI: async () => ({ client: clientOf(call.connection), identity: identityOf(call.identity), rights: rightsOf(access.rightsOf(call)) }),
    listClients: async () => ({ clients: connections.list().map(clientOf) }),
    disconnectClient: async ({ id }) => {
      if (id === call.connection.id) throw new NetworkError(ErrorCode.OPERATION_INVALID, `connection ${id} is the one that asks`);
      const connection = connections.list().find((one) => one.id === id);
      if (connection === undefined) throw new NetworkError(ErrorCode.NO_CLIENT, `No client with matching ID '${id}'`, { hint: 'list them with: vnet admin clients' });
      connection.close();
      return {};
    },
    getLogLevel: async () => ({ level: log.level }),
    setLogLevel: async ({ level }) => {
      if (!logLevels.some((known) => known === level)) throw new NetworkError(ErrorCode.INVALID_ARG, `log level '${level}': it must be ${logLevels.join(', ')}`);
      const previous = log.level;
      log.level = level;
      return { previous };
    },
  };
}

function clientOf({ id, listener, readonly, peer, since, identity, inFlight }: Connection): Client {
  return { id, listener, readonly, peer, sinceMs: since.getTime(), identity: identityOf(identity), inFlight };
}

function identityOf({ kind, name, unix, certificate, token = '' }: Identity): CallerIdentity {
  return {
    kind, name, token,
    unix: unix && { pid: unix.pid, uid: unix.uid, gid: unix.gid, user: unix.user ?? '', groups: [...unix.groups] },
    certificate: certificate && {
      // As an access table wants it: the most particular part first, and what has a meaning there escaped.
      subject: certificate.subject.map((part) => part.map(({ type, value }) => `${type}=${value.replace(/[\\*,+]/g, '\\$&')}`).join('+')).reverse(),
      alternativeNames: [...certificate.alternativeNames], fingerprint: certificate.fingerprint,
    },
  };
}

function rightsOf({ entries }: Rights): Right[] {
  const rights = entries.map(({ permissions, networks = [] }) => ({ permissions: [...permissions], networks: networks.map(({ text }) => text) }));
  // Two entries may give the same.
  return [...new Map(rights.map((right) => [JSON.stringify(right), right])).values()];
}
