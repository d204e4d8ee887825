/**
 * Lives here: what the limits have to know of grpc-js beyond what it offers:
 * the HTTP/2 server below it, and the options with which that is made. The one
 * file that does. Does not know: any limit.
 *
 * grpc-js offers no bound for metadata and shows no connection; both are a
 * field away. If a later version has other fields, the daemon does not start,
 * and the attack tests say so before anybody installs it.
 */
import type { Http2Server, Settings } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

/** The fields that are used. */
interface Insides {
  commonServerOptions: { settings?: Settings; maxHeaderListPairs?: number };
  http2Servers: Map<Http2Server, unknown>;
}

/** Sets options of HTTP/2. Must come before the injector is made. */
export function setHttpOptions(server: Server, options: { headerBytes: number; mostHeaderPairs: number }): void {
  const { commonServerOptions } = server as unknown as Insides;
  if (commonServerOptions === undefined) throw new Error('this version of @grpc/grpc-js makes its HTTP/2 servers in another way');
  commonServerOptions.settings = { ...commonServerOptions.settings, maxHeaderListSize: options.headerBytes };
  commonServerOptions.maxHeaderListPairs = options.mostHeaderPairs;
}

/** The HTTP/2 server behind a server's one injector. */
export function httpServerOf(server: Server): Http2Server {
  const [http] = (server as unknown as Insides).http2Servers?.keys() ?? [];
  if (http === undefined) throw new Error('this version of @grpc/grpc-js keeps its HTTP/2 servers elsewhere');
  return http;
}
