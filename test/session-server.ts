/**
 * Lives here: a server in this process for tests of sessions, around a driver
 * of the test's own, and a client of it that speaks frames. Does not know: what
 * is asked of it.
 */
import { join } from 'node:path';
import { Client, credentials, Metadata, type ClientDuplexStream, type StatusObject } from '@grpc/grpc-js';
import { Calls } from '../server/calls.js';
import { defaultConfig } from '../server/config.js';
import { Connections } from '../server/connections.js';
import { openListeners, type Furnish } from '../server/listen.js';
import { silentLog } from '../server/log.js';
import { furnishing } from '../server/services.js';
import { sessionLimits, type SessionLimits } from '../server/session/limits.js';
import { Reloads } from '../server/reload.js';
import { Stopping } from '../server/stopping.js';
import { AttachRequest, AttachResponse, type ClientFrame, type ServerFrame } from '../shared/gen/vnet/v1/session.js';
import type { NetworkDriver } from '../shared/gen/vnet/v1/network_driver.js';
import { openFolder, until } from './processes.js';

/** A server in this process. */
export interface SessionServer {
  uri: string;
  connections: Connections;
  /** Stops as the daemon does. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Serves what a test needs of a driver.
 *
 * @param furnish puts other services than the daemon's on it
 */
export async function openSessionServer(
  parts: Partial<NetworkDriver>, limits: Partial<SessionLimits> = {}, furnish?: (calls: Calls, connections: Connections) => Furnish, root?: string,
): Promise<SessionServer> {
  const folder = root === undefined ? await openFolder() : { path: root, close: async () => undefined };
  const driver = { open: async () => ({ driver: 'test', hostname: 'here', version: '0' }), ...parts } as NetworkDriver;
  const stopping = new Stopping();
  const connections = new Connections();
  const calls = new Calls({ driverFor: () => driver, observers: [], log: silentLog, stopping });
  const services = furnish?.(calls, connections) ?? furnishing(calls, connections, undefined, { ...sessionLimits, ...limits });
  const config = defaultConfig(folder.path);
  const listeners = await openListeners(config, connections, services, new Reloads(config, async () => config, silentLog), silentLog);
  const stop = async () => {
    stopping.begin();
    await Promise.all(listeners.map((listener) => listener.close(5000, stopping.idle())));
  };
  return { uri: listeners[0]!.uri, connections, stop, close: async () => { await stop(); await folder.close(); } };
}

/** A client that speaks frames. */
export class FrameClient {
  readonly stream: ClientDuplexStream<Buffer, Buffer>;
  /** What has come. */
  readonly frames: ServerFrame[] = [];
  status: StatusObject | undefined;
  readonly #client: Client;

  constructor(uri: string) {
    const asIs = (bytes: Buffer) => bytes;
    this.#client = new Client(`unix:${new URL(uri).searchParams.get('socket')}`, credentials.createInsecure(), { 'grpc.default_authority': 'localhost', 'grpc.use_local_subchannel_pool': 1 });
    this.stream = this.#client.makeBidiStreamRequest('/vnet.v1.Session/Attach', asIs, asIs, new Metadata());
    this.stream.on('data', (bytes: Buffer) => this.frames.push(...AttachResponse.decode(bytes).frames));
    this.stream.on('error', () => undefined);
    this.stream.on('status', (status) => { this.status = status; });
  }

  /** Sends frames as one message. */
  send(...frames: Partial<ClientFrame>[]): void {
    this.stream.write(Buffer.from(AttachRequest.encode(AttachRequest.fromPartial({ frames })).finish()));
  }

  /** Sends whatever it is as one message. */
  sendBytes(bytes: Buffer): void {
    this.stream.write(bytes);
  }

  /** Waits for a frame. */
  frame<Kind extends keyof ServerFrame>(kind: Kind, fits: (frame: NonNullable<ServerFrame[Kind]>) => boolean = () => true): Promise<NonNullable<ServerFrame[Kind]>> {
    return until(`a frame ${kind}`, async () => this.frames.map((frame) => frame[kind]).find((frame) => frame != null && fits(frame)) as NonNullable<ServerFrame[Kind]> | undefined);
  }

  /** Waits for the end of the session. */
  ended(): Promise<StatusObject> {
    return until('the end', async () => this.status);
  }

  close(): void {
    this.stream.cancel();
    this.#client.close();
  }
}

/** The frame of a call of the driver. */
export function callFrame(call: number, method: string, request: Uint8Array = Buffer.alloc(0), more: { timeoutMs?: number; credit?: number } = {}): Partial<ClientFrame> {
  return { call: { call, method: `/vnet.v1.NetworkDriver/${method}`, request: Buffer.from(request), timeoutMs: 0, credit: 0, ...more } };
}

/** Where a driver of a test holds calls until it is told to go on. */
export class Gate {
  /** How many have come. */
  begun = 0;
  /** How many nobody waits for any more. */
  givenUp = 0;
  readonly #waiting: (() => void)[] = [];
  #open = false;

  async pass(signal?: AbortSignal): Promise<void> {
    this.begun += 1;
    signal?.addEventListener('abort', () => { this.givenUp += 1; }, { once: true });
    if (!this.#open) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  open(): void {
    this.#open = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** The socket's folder of a server, to serve there again. */
export function rootOf({ uri }: SessionServer): string {
  return join(new URL(uri).searchParams.get('socket')!, '../../..');
}
