/**
 * Lives here: where Prometheus reads the metrics: HTTP on a loopback address or
 * a unix socket. Does not know: what they tell.
 */
import { chmod } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { isIPv4, isIPv6, type AddressInfo, type ListenOptions } from 'node:net';
import type { Log } from '../log.js';

/** How the metrics are to be had. */
export interface MetricsConfig {
  /** `127.0.0.1:9177`, `[::1]:9177` or `unix:/run/vnet/metrics.sock`; empty: not at all. */
  listen: string;
  /** Let them be read by a network: whoever reaches the address learns who calls what, and the names of all networks. */
  openToNetwork: boolean;
}

/** What somebody who reads metrics needs: one request in some seconds. */
const bounds = { connections: 8, headerBytes: 4096, requestMs: 5_000 };

/** Where to listen, or why not. @throws Error naming the key */
export function parseMetricsAddress({ listen, openToNetwork }: MetricsConfig): ListenOptions {
  const [, path] = /^unix:(\/.+)$/s.exec(listen) ?? [];
  if (path !== undefined) return { path };
  const [, bracketed, bare, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(listen) ?? [];
  const host = bracketed ?? bare ?? '';
  if (port === undefined || Number(port) > 65_535 || !(bracketed === undefined ? isIPv4(host) : isIPv6(host))) {
    throw new Error(`metrics.listen is '${listen}'; it must be an address and a port ("127.0.0.1:9177", "[::1]:9177") or a socket ("unix:/run/vnet/metrics.sock")`);
  }
  if (!openToNetwork && !/^127\.|^::1$/.test(host)) {
    throw new Error(`metrics.listen is '${listen}', which others can reach without a password; if that is meant, set metrics.open_to_network = true`);
  }
  return { host, port: Number(port) };
}

/** Metrics that can be read. */
export interface MetricsDoor {
  close(): Promise<void>;
}

/**
 * Serves metrics; does nothing if the configuration does not want them.
 *
 * @param collect gives their text
 * @param clear removes a socket that nobody listens on. @throws Error if somebody does
 */
export async function openMetrics(config: MetricsConfig, collect: () => Promise<string>, clear: (path: string) => Promise<void>, log: Log): Promise<MetricsDoor> {
  if (config.listen === '') return { close: async () => undefined };
  const where = parseMetricsAddress(config);
  if (where.path !== undefined) await clear(where.path);
  const server = createServer({ maxHeaderSize: bounds.headerBytes, requestTimeout: bounds.requestMs, headersTimeout: bounds.requestMs, connectionsCheckingInterval: 1_000 }, answer(collect, log));
  server.maxConnections = bounds.connections;
  server.keepAliveTimeout = bounds.requestMs;
  await listen(server, where);
  if (where.path !== undefined) await chmod(where.path, 0o660);
  const address = server.address() as AddressInfo | string;
  log.info({ address: typeof address === 'string' ? `unix:${address}` : `http://${config.listen.replace(/\d+$/, '')}${address.port}/metrics` }, 'metrics');
  return {
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

async function listen(server: Server, where: ListenOptions): Promise<void> {
  // Nobody may connect between bind and chmod.
  const mask = process.umask(0o177);
  try {
    server.listen(where);
  } finally {
    process.umask(mask);
  }
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
}

function answer(collect: () => Promise<string>, log: Log): RequestListener {
  return (request, response) => {
    const path = request.url?.split('?')[0];
    if (path !== '/metrics') return void response.writeHead(404).end();
    if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
    collect().then((text) => {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(request.method === 'HEAD' ? '' : text);
    }, (error: unknown) => {
      log.error({ err: error }, 'the metrics cannot be collected');
      response.writeHead(500).end();
    });
  };
}
