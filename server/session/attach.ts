/**
 * Lives here: sessions as gRPC carries them: one stream each. Does not know:
 * what a session does with its messages.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { encodeMessage } from '../../shared/encode.js';
import type { NetworkError } from '../../shared/errors.js';
import { AttachResponse, type ServerFrame } from '../../shared/gen/vnet/v1/session.js';
import type { Calls } from '../calls.js';
import type { Connection, Connections } from '../connections.js';
import { asBuffer, asIs, callerOf, statusOf, type Dispatch } from '../dispatch.js';
import type { ReachedLimit, SessionLimits } from './limits.js';
import { Session, type Caller } from './session.js';

type Stream = ServerDuplexStream<Buffer, Buffer>;

/** Is told that a session has reached a limit. */
export type Reached = (deed: 'connection cut' | 'call refused', limit: ReachedLimit, connection: Connection) => void;

/** The service that answers sessions. */
export function createSessions(calls: Calls, connections: Connections, limits: SessionLimits, reached: Reached = () => undefined): Dispatch {
  return {
    definition: {
      attach: {
        path: '/vnet.v1.Session/Attach', requestStream: true, responseStream: true, originalName: 'attach',
        requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs,
      },
    },
    implementation: { attach: (stream: Stream) => attach(stream, calls, connections, limits, reached) },
  };
}

function attach(stream: Stream, calls: Calls, connections: Connections, limits: SessionLimits, reached: Reached): void {
  let caller: () => Caller;
  let connection: Connection;
  try {
    caller = callerOf(calls, connections, stream);
    ({ connection } = caller());
  } catch (error) {
    stream.emit('error', statusOf(error as NetworkError));
    return;
  }
  readLittleAhead(stream);
  const session = new Session(calls, caller, {
    write: (frames, taken) => stream.write(asBuffer(encodeMessage(AttachResponse, { frames: frames as ServerFrame[] })), (error?: Error | null) => { if (!error) taken(); }),
    read: (more) => more ? stream.resume() : stream.pause(),
    end: (error) => {
      if (error === undefined) stream.end();
      else stream.emit('error', statusOf(error));
      // The end is said once all before it is read: not by everyone.
      const timer = setTimeout(() => connection.close(), limits.answerWithinMs).unref();
      stream.once('finish', () => clearTimeout(timer));
    },
    cut: (limit) => {
      if (limit !== undefined) reached('connection cut', limit, connection);
      connection.close();
    },
    refused: (limit) => reached('call refused', limit, connection),
  }, limits);
  connection.sessions.add(session);
  for (const end of ['finish', 'cancelled', 'close']) stream.once(end, () => connection.sessions.delete(session));
  stream.on('data', (message: Buffer) => session.take(message));
  stream.on('end', () => session.noMore());
  stream.on('cancelled', () => session.gone());
}

/**
 * The library reads sixteen messages ahead, which can be 64 MiB for each
 * client that is not read. It offers no option for it; the stream underneath does.
 */
function readLittleAhead(stream: Stream): void {
  const { _readableState: state } = stream as unknown as { _readableState?: { highWaterMark: number } };
  if (state !== undefined) state.highWaterMark = 1;
}
