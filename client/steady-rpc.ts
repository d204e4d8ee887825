/**
 * Lives here: the `Rpc` under the generated client: what becomes of a call
 * whose connection breaks. Does not know: how calls are carried.
 */
import { ErrorCode, NetworkError } from '../shared/errors.js';
import { NetworkDriverDefinition, type Network, type NetworkDriverClientImpl } from '../shared/gen/vnet/v1/network_driver.js';
import { changes, type Procedure } from '../shared/procedures.js';
import type { Transport } from '../shared/uri.js';
import { BackOff } from './back-off.js';
import { Unanswered, type Bytes, type Carrier } from './carrier.js';
import type { Channel } from './channel.js';
import { createCarrier } from './session-rpc.js';

/** What a generated client sends its calls through. */
export type Rpc = ConstructorParameters<typeof NetworkDriverClientImpl>[0];

/** Between two attempts to make a call, in milliseconds. */
const backOffMs = { first: 50, longest: 2000 };

/** The ways to make calls over one channel. */
export interface RemoteRpc {
  /** Calls that are made again where that does no harm, each within so many milliseconds. */
  steady(timeoutMs: number): Rpc;
  /** Calls that fail with their connection: to find out whether anybody is there. */
  once(timeoutMs: number): Rpc;
  close(): void;
}

/** How calls are made. */
interface SteadyOptions {
  /** How long a call may take with all its attempts, in milliseconds. */
  timeoutMs: number;
  /** The URI, for commands that a person can run. */
  uri: string;
  /** Aborted when the connection is let go. */
  closed: AbortSignal;
  explain: NonNullable<Channel['explain']>;
}

/** A procedure as its generated definition has it. */
type Described = Procedure & { requestType: { decode(bytes: Uint8Array): unknown } };

const procedures = new Map(Object.values(NetworkDriverDefinition.methods).map((procedure): [string, Described] => [procedure.name, procedure]));

/**
 * Calls over a channel.
 *
 * @param uri where it leads, for commands that a person can run
 * @param keepaliveMs after which time a silent daemon is asked whether it is there
 */
export function openRpc(channel: Channel, uri: string, transport: Transport | undefined, keepaliveMs: number): RemoteRpc {
  const carrier = createCarrier(channel, transport, { pingAfterMs: keepaliveMs, answerWithinMs: keepaliveMs / 2 });
  const closed = new AbortController();
  return {
    steady: (timeoutMs) => createSteadyRpc(carrier, { timeoutMs, uri, closed: closed.signal, explain: channel.explain ?? (async (error) => error) }),
    once: (timeoutMs) => rpcOver(carrier, (service, method, data, signal) => carrier.call(service, method, data, timeoutMs, signal)),
    close: () => {
      closed.abort();
      carrier.close();
    },
  };
}

/**
 * Calls that outlive a connection, within the time they may take. What only
 * reads, or surely never left, is made again; a changing call whose answer was
 * lost ends with an error that says so. Streams end with their connection.
 */
function createSteadyRpc(carrier: Carrier, options: SteadyOptions): Rpc {
  return rpcOver(carrier, (service, method, data, signal) => {
    const began = performance.now();
    return carrier.call(service, method, data, options.timeoutMs, signal)
      .catch((error: unknown) => again(carrier, options, began, error, service, method, data, signal));
  });
}

function rpcOver(carrier: Carrier, request: Rpc['request']): Rpc {
  return {
    request,
    serverStreamingRequest: (service, method, data, signal) => carrier.stream(service, method, data, signal),
    clientStreamingRequest: (_, method) => noStream(method),
    bidirectionalStreamingRequest: (_, method) => noStream(method),
  };
}

/** Makes a call again that failed, until it is answered or may not be made again. @throws {NetworkError} */
async function again(
  carrier: Carrier, { timeoutMs, uri, closed, explain }: SteadyOptions, began: number, failure: unknown,
  service: string, method: string, data: Uint8Array, signal: AbortSignal | undefined,
): Promise<Bytes> {
  const backOff = new BackOff(backOffMs);
  const procedure = procedures.get(method);
  const mayChange = procedure === undefined || changes(procedure);
  const given = signal === undefined ? closed : AbortSignal.any([closed, signal]);
  for (let last = failure; ;) {
    if (!(last instanceof Unanswered)) throw last;
    if (last.left && mayChange) throw lostAnswer(last, method, procedure, data, uri);
    const leftMs = timeoutMs - (performance.now() - began);
    if (leftMs <= 0 || given.aborted) throw await explain(last);
    await backOff.wait(given, leftMs);
    const soFarMs = performance.now() - began;
    if (given.aborted || soFarMs >= timeoutMs) throw await explain(last);
    try {
      return await carrier.call(service, method, data, Math.ceil(timeoutMs - soFarMs), signal);
    } catch (error) {
      // Why nobody answers says more than that nobody did; but a change may have got through at last.
      const late = error instanceof NetworkError && error.code === ErrorCode.OPERATION_TIMEOUT && !mayChange;
      if (!late) last = error;
    }
  }
}

function lostAnswer({ message }: Unanswered, method: string, procedure: Described | undefined, data: Uint8Array, uri: string): NetworkError {
  return new NetworkError(ErrorCode.RPC, `${method}: the answer was lost, the operation may have happened: ${message}`, {
    hint: `look before you repeat it: ${lookCommand(procedure, data, uri)}`,
  });
}

/** A command that shows whether a changing call happened. */
function lookCommand(procedure: Described | undefined, data: Uint8Array, uri: string): string {
  const { network } = (procedure?.requestType.decode(data) ?? {}) as { network?: Network };
  const what = network?.name || network?.uuid;
  return ['vnet', ...(uri === 'vnet:///system' ? [] : ['-c', quote(uri)]), ...(what ? ['info', quote(what)] : ['list', '--all'])].join(' ');
}

/** A word for a shell. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function noStream(method: string): never {
  throw new NetworkError(ErrorCode.NO_SUPPORT, method);
}
