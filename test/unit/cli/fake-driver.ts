/**
 * Lives here: a NetworkDriver that keeps networks in a map and refuses little:
 * enough for the words of `vnet`, whose rules are another's. Does not know:
 * XML, but for a name in it.
 */
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import type { DhcpLease, HostChange, Network, NetworkDriver, NetworkSummary } from '../../../shared/gen/vnet/v1/network_driver.js';

/** A network of the fake. Tests may put any text into it. */
export interface FakeNetwork extends NetworkSummary {
  network: Network;
  xml: string;
  leases: DhcpLease[];
}

/** A driver, and the networks it has. */
export interface FakeDriver extends NetworkDriver {
  networks: Map<string, FakeNetwork>;
  /** What the next document is warned of. */
  warnings: string[];
  /** What of the next definition waits. */
  pending: string[];
  /** What the next change does to the host. */
  changes: HostChange[];
  /** The updates and settings that were asked for. */
  asked: object[];
}

/** A network of this name, its other fields as given. */
export function fakeNetwork(name: string, fields: Partial<FakeNetwork> = {}): FakeNetwork {
  const uuid = `00000000-0000-4000-8000-${Buffer.from(name).toString('hex').slice(0, 12).padStart(12, '0')}`;
  return {
    network: { name, uuid }, active: false, persistent: true, autostart: false, bridge: 'virbr0', forwardMode: 'nat',
    addresses: ['192.168.122.1/24'], xml: documentOf(name), leases: [], ...fields,
  };
}

/** The document of a network. */
export function documentOf(name: string): string {
  return `<network>\n  <name>${name}</name>\n</network>\n`;
}

/** Makes a driver that has these networks. */
export function fakeDriver(...found: FakeNetwork[]): FakeDriver {
  const networks = new Map(found.map((one) => [one.network.name, one]));
  const warnings: string[] = [];
  const pending: string[] = [];
  const changes: HostChange[] = [];
  const asked: object[] = [];
  const metadata = new Map<string, string>();
  const invalid = (message: string) => new NetworkError(ErrorCode.OPERATION_INVALID, message);
  const get = ({ network }: { network?: Network | undefined }) => byName(network!.name);
  const byName = (name: string) => {
    const one = networks.get(name);
    if (one === undefined) throw new NetworkError(ErrorCode.NO_NETWORK, `no network with matching name '${name}'`);
    return one;
  };
  const make = (xml: string, state: Partial<FakeNetwork>) => {
    const [, name] = /<name>(.*?)<\/name>/s.exec(xml) ?? [];
    if (name === undefined) {
      const problems = ['a network needs a name', 'not this one']
        .map((message, i) => ({ code: ErrorCode.NO_NAME, line: 2 + i, column: 3, path: 'network/name', message }));
      throw new NetworkError(ErrorCode.NO_NAME, 'network', { problems });
    }
    const one = { ...(networks.get(name) ?? fakeNetwork(name)), ...state, xml };
    networks.set(name, one);
    return { network: one.network, warnings: warnings.splice(0) };
  };
  const driver: Partial<FakeDriver> = {
    networks, warnings, pending, changes, asked,
    open: async () => ({ driver: 'test', hostname: 'here', version: '9.8.7' }),
    listAllNetworks: async (filter) => ({
      networks: [...networks.values()].filter((one) => (['active', 'persistent', 'autostart'] as const).every((field) => filter[field] === undefined || filter[field] === one[field])),
    }),
    networkLookupByName: async ({ name }) => ({ network: byName(name).network }),
    networkLookupByUuid: async ({ uuid }) => {
      const one = [...networks.values()].find(({ network }) => network.uuid === uuid.toLowerCase());
      if (one === undefined) throw new NetworkError(ErrorCode.NO_NETWORK, `no network with matching uuid '${uuid}'`);
      return { network: one.network };
    },
    networkDefineXml: async ({ xml, dryRun }) => {
      const told = { pending: pending.splice(0), changes: changes.splice(0) };
      if (dryRun === true) return { network: { name: 'tried', uuid: '' }, warnings: [], ...told, revision: 0 };
      return { ...make(xml, { persistent: true }), ...told, revision: 1 };
    },
    // As an earlier daemon answers.
    networkListRevisions: async () => {
      throw new NetworkError(ErrorCode.NO_SUPPORT, 'NetworkListRevisions');
    },
    networkUpdate: async ({ network, ...request }) => {
      const { active } = byName(network!.name);
      asked.push(request);
      const { live, config } = request.live || request.config ? request : { live: active, config: !active };
      return { live, config, changes: changes.splice(0) };
    },
    networkGetMetadata: async ({ type, uri }) => {
      const found = metadata.get(`${type} ${uri}`);
      if (found === undefined) throw new NetworkError(ErrorCode.NO_NETWORK_METADATA, 'Requested metadata element is not present');
      return { metadata: found };
    },
    networkSetMetadata: async ({ network: _, ...request }) => {
      asked.push(request);
      if (request.metadata === '') metadata.delete(`${request.type} ${request.uri}`);
      else metadata.set(`${request.type} ${request.uri}`, request.metadata);
      return {};
    },
    networkCreateXml: async ({ xml }) => make(xml, { persistent: false, active: true }),
    networkCreate: async (request) => {
      const one = get(request);
      if (one.active) throw invalid('network is already active');
      one.active = true;
      return {};
    },
    networkDestroy: async (request) => {
      const one = get(request);
      if (!one.active) throw invalid(`network '${one.network.name}' is not active`);
      one.active = false;
      return {};
    },
    networkUndefine: async (request) => {
      networks.delete(get(request).network.name);
      return {};
    },
    networkDumpXml: async (request) => ({ xml: request.inactive ? get(request).xml : `<!--live-->${get(request).xml}` }),
    networkGetBridgeName: async (request) => ({ bridge: get(request).bridge }),
    networkGetAutostart: async (request) => ({ autostart: get(request).autostart }),
    networkSetAutostart: async (request) => {
      get(request).autostart = request.autostart;
      return {};
    },
    networkIsActive: async (request) => ({ active: get(request).active }),
    networkIsPersistent: async (request) => ({ persistent: get(request).persistent }),
    networkGetDhcpLeases: async (request) => ({ leases: get(request).leases.filter(({ mac }) => request.mac === '' || request.mac === mac) }),
  };
  return driver as FakeDriver;
}
