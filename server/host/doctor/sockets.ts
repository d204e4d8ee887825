/**
 * Lives here: who listens on the ports that DHCP and DNS need. Does not know:
 * how it is asked.
 */
import { canonicalAddress } from '../../../shared/address.js';
import { familyOfIp, servesDhcp } from '../../../shared/definition/index.js';
import type { NetworkPlan } from '../../driver/host.js';
import { ofEach, type Check, type Found, type Reading } from './check.js';

/** A socket that somebody listens on. */
export interface Socket {
  protocol: 'tcp' | 'udp';
  /** Canonical; `*` for both families' all, `0.0.0.0` or `::` for one's. */
  address: string;
  /** The only interface it hears. */
  device?: string;
  port: number;
  /** The name of the program, and its process; absent if it cannot be told. */
  program?: string;
  pid?: number;
  /** It is a dnsmasq of vnet's. */
  ours: boolean;
}

/** Reads what `ss -H -l -n -t -u -p` prints. */
export function parseSockets(text: string): Socket[] {
  return text.split('\n').flatMap((line) => {
    const [protocol, , , , local = '', , ...rest] = line.trim().split(/\s+/);
    const [, host = '', device, port] = /^\[?([^\]%]*)\]?(?:%([^\]:]+)\]?)?:(\d+)$/.exec(local) ?? [];
    if ((protocol !== 'tcp' && protocol !== 'udp') || port === undefined) return [];
    const [, program, pid] = /\("([^"]*)",pid=(\d+)/.exec(rest.join(' ')) ?? [];
    return [{
      protocol, address: host === '*' ? '*' : canonicalAddress(host)?.address ?? host, ...(device === undefined ? {} : { device }), port: Number(port),
      ...(program === undefined ? {} : { program, pid: Number(pid) }), ours: false,
    } as const];
  });
}

/** The ports a network serves, and on which addresses. */
function servedPorts({ definition }: NetworkPlan): { port: number; protocols: readonly string[]; address: string; what: string }[] {
  return definition.ips.flatMap((ip) => [
    ...(definition.dns?.enable === false ? [] : [{ port: 53, protocols: ['udp', 'tcp'], address: ip.address, what: 'DNS' }]),
    ...(!servesDhcp(ip) ? [] : familyOfIp(ip) === 'ipv4' ? [{ port: 67, protocols: ['udp'], address: ip.address, what: 'DHCP' }]
      : [{ port: 547, protocols: ['udp'], address: ip.address, what: 'DHCPv6' }]),
  ]);
}

/** The ports a network needs are free. */
export const portChecks: readonly Check[] = [53, 67, 547].map((port) => ({
  name: `port-${port}`,
  good: `nobody else holds port ${port} where networks need it`,
  find: (reading: Reading): Found[] => ofEach(reading, (plan, { dnsmasq, bridge }) => {
    // One that runs has its sockets.
    if (bridge && dnsmasq) return [];
    return servedPorts(plan).filter((served) => served.port === port).flatMap(({ address, protocols, what }) => {
      const holder = reading.sockets.find((socket) => socket.port === port && !socket.ours && protocols.includes(socket.protocol) && holds(socket, address, plan.bridge));
      if (holder === undefined) return [];
      const who = holder.program === undefined ? 'another program' : `${holder.program} (pid ${holder.pid})`;
      return [{
        severity: 'error' as const,
        message: `${who} holds ${holder.protocol} port ${port} on ${holder.address}, so dnsmasq cannot serve ${what} on ${address}`,
        advice: `let it listen on its own addresses only (see ss -lnp 'sport = :${port}')${holder.pid === undefined ? '' : `, or stop it: kill ${holder.pid}`}`,
      }];
    });
  }),
}));

function holds({ address, device }: Socket, wanted: string, bridge: string): boolean {
  if (device !== undefined && device !== bridge) return false;
  return address === wanted || address === '*' || address === '::' || (address === '0.0.0.0' && !wanted.includes(':'));
}
