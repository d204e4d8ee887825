/**
 * Lives here: whether anybody listens at an address, and what it says
 * unasked: an HTTP/2 server speaks first. Does not know: TLS, gRPC.
 */
import { connect } from 'node:net';
import type { Diagnosis } from '../diagnosis.js';

/** How long a host may take for each step, in milliseconds. */
export const patienceMs = 5_000;

/** An address of a daemon. */
export interface Address {
  host: string;
  port: number;
}

/** What came of connecting: the first bytes that came, or the system's name of the error. */
export type Reached = { bytes: Buffer } | { code: string; message: string };

/** Connects, sends what an HTTP/2 client sends first, and waits for the answer. */
export function reach({ host, port }: Address): Promise<Reached> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: patienceMs });
    const settle = (reached: Reached) => {
      socket.destroy();
      resolve(reached);
    };
    socket.once('connect', () => socket.write(clientPreface));
    socket.once('data', (bytes: Buffer) => settle({ bytes }));
    socket.once('end', () => settle({ bytes: Buffer.alloc(0) }));
    socket.once('timeout', () => settle(socket.connecting ? { code: 'ETIMEDOUT', message: 'no answer' } : { bytes: Buffer.alloc(0) }));
    socket.once('error', (error: NodeJS.ErrnoException) => settle(socket.pending || error.syscall === 'connect' || error.syscall === 'getaddrinfo'
      ? { code: error.code ?? '', message: error.message } : { bytes: Buffer.alloc(0) }));
  });
}

/** What an HTTP/2 client says first: a line that no other protocol has, and empty settings. */
export const clientPreface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]);

/** Whether bytes begin as an HTTP/2 server's do: with its settings. */
export function isHttp2(bytes: Buffer): boolean {
  return bytes.length >= 9 && bytes[0] === 0 && bytes[3] === 4 && bytes.readUInt32BE(5) === 0;
}

/**
 * What an HTTP/2 server says to somebody whom it does not serve: the text of a
 * GOAWAY right after its settings. Undefined if it begins otherwise.
 */
export function refusalIn(bytes: Buffer): string | undefined {
  const goAway = 7;
  const [header, fixed] = [9, 8];
  for (let at = 0; at + header <= bytes.length;) {
    const length = bytes.readUIntBE(at, 3);
    if (bytes[at + 3] === goAway && length >= fixed) return bytes.subarray(at + header + fixed, at + header + length).toString();
    at += header + length;
  }
  return undefined;
}

/** Why there is no connection to an address. */
export function explainNoConnection({ host, port }: Address, { code, message }: { code: string; message: string }, table: 'tls' | 'tcp'): Diagnosis {
  const place = `${host}:${port}`;
  switch (code) {
    case 'ENOTFOUND': case 'EAI_AGAIN':
      return { severity: 'error', check: 'name', message: `no address is known for '${host}'${code === 'EAI_AGAIN' ? ': the name server does not answer' : ''}`, advice: `is it spelled right? getent hosts ${host}` };
    case 'ECONNREFUSED':
      return {
        severity: 'error', check: 'listening', message: `nobody listens on ${place}`,
        advice: `on ${host}: does vnetd run, and does /etc/vnet/vnetd.toml say [${table}] enabled = true and an address that others reach? ss -ltnp 'sport = :${port}'`,
      };
    case 'ETIMEDOUT': case 'EHOSTUNREACH': case 'ENETUNREACH': case 'EHOSTDOWN':
      return { severity: 'error', check: 'listening', message: `${place} cannot be reached: ${code === 'ETIMEDOUT' ? 'no answer' : message}`, advice: `is ${host} up? does a firewall between here and there let port ${port} pass?` };
    default:
      return { severity: 'error', check: 'listening', message: `${place} cannot be reached: ${message}` };
  }
}
