/**
 * Lives here: calls to a driver behind an access table, as bytes, by callers
 * that a test makes up. Does not know: sockets, what is tested.
 */
import { Socket } from 'node:net';
import { Access } from '../../../server/access/access.js';
import { adminFor } from '../../../server/access/admin.js';
import type { GuardedDriver } from '../../../server/access/guard.js';
import { builtInEntries, parseTable } from '../../../server/access/table.js';
import { Calls, nameCall, procedures, type CallObserver, type ServedProcedure } from '../../../server/calls.js';
import { Connections, type Identity, type ListenerKind } from '../../../server/connections.js';
import { openTestDriver } from '../../../server/driver/test-driver.js';
import { silentLog } from '../../../server/log.js';
import { NetworkError } from '../../../shared/errors.js';
import { encodeError } from '../../../shared/status.js';

/** One who calls. */
export interface Someone {
  listener: ListenerKind;
  identity?: Identity;
}

/** What came of a call. */
export interface Outcome {
  /** The name of its error; undefined if there is none. */
  error?: NetworkError;
  answer?: Record<string, unknown>;
  /** Every byte that is sent. */
  bytes: Buffer;
}

/** A server without sockets. */
export interface Served {
  driver: GuardedDriver;
  access: Access;
  connections: Connections;
  log: { level: string };
  /** Puts another table in force. */
  setTable(toml: string): Promise<void>;
  /** Makes a call. Of a stream it takes as many messages as are given at once. */
  call(who: Someone, key: string, request: object): Promise<Outcome>;
}

/** Identities of each kind. */
export const as = {
  token: (token: string): Someone => ({ listener: 'tls', identity: { kind: 'token', name: `token ${token}`, token } }),
  unix: (uid: number, user: string, groups: string[] = [], listener: ListenerKind = 'unix'): Someone =>
    ({ listener, identity: { kind: 'unix', name: `${user} (uid ${uid})`, unix: { pid: 1, uid, gid: uid, user, groups } } }),
  nobody: (listener: ListenerKind): Someone => ({ listener }),
};

/** The procedure with this name in the generated interface. */
export function procedureOf(key: string): ServedProcedure {
  return procedures.find((procedure) => procedure.key === key)!;
}

/** Serves the test driver, or another one, behind an access table. */
export async function serve(toml: string, options: { driver?: GuardedDriver; observers?: CallObserver[] } = {}): Promise<Served> {
  const driver = options.driver ?? await openTestDriver();
  let table = toml;
  const read = async () => {
    const entries = parseTable(table, 'access.toml');
    return [...entries, ...builtInEntries('vnet', new Set(entries.flatMap(({ who }) => who.listeners ?? [])))];
  };
  const access = new Access(await read(), read);
  const connections = new Connections();
  const log = { level: 'info' };
  const calls = new Calls({
    authorize: (call) => access.authorize(call), driverFor: (call) => access.guard(driver, call),
    adminFor: (call) => adminFor(call, { connections, access, log }), observers: options.observers ?? [], log: silentLog,
  });
  const known = new Map<Someone, ReturnType<Connections['add']>>();
  const connectionOf = (who: Someone) => {
    const connection = known.get(who) ?? connections.add(who.listener, new Socket());
    if (who.identity !== undefined) connection.identity = who.identity;
    known.set(who, connection);
    return connection;
  };
  const call = async (who: Someone, key: string, request: object): Promise<Outcome> => {
    const procedure = procedureOf(key);
    const connection = connectionOf(who);
    const over = new AbortController();
    const codec = procedure.requestType as unknown as { fromPartial(part: object): unknown };
    const asked = { procedure, connection, identity: connection.identity, id: nameCall(), signal: over.signal };
    const bytes = procedure.requestType.encode(codec.fromPartial(request)).finish();
    const sent: Uint8Array[] = [];
    try {
      if (procedure.responseStream) {
        // What is told at once; who watches is never told that there is no more.
        setTimeout(() => over.abort(), 5);
        await calls.stream(asked, bytes, async (messages) => { for await (const message of messages) sent.push(message); });
      } else {
        sent.push(await calls.answer(asked, bytes));
      }
      return { answer: procedure.responseType.decode(sent[0]!) as Record<string, unknown>, bytes: Buffer.concat(sent) };
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      const { message, detail } = encodeError(error);
      const first = sent[0] === undefined ? {} : { answer: procedure.responseType.decode(sent[0]) as Record<string, unknown> };
      return { error, ...first, bytes: Buffer.concat([...sent, Buffer.from(message), detail]) };
    }
  };
  return { driver, access, connections, log, call, setTable: async (next) => { table = next; await access.reload(); } };
}
