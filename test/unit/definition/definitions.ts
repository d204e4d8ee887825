/**
 * Lives here: arbitrary network definitions in normal form, every element of
 * the format among them, all acceptable. Does not know: XML.
 */
import fc from 'fast-check';
import type {
  Bandwidth, Bridge, Dhcp, DhcpHost, Dns, Domain, Forward, ForwardMode, Ip, LeaseTime, NetworkDefinition, PortGroup, Proxy, Route, Srv, VirtualPort, Vlan,
} from '../../../shared/definition/index.js';

/** A record with some of its members left out, as exactOptionalPropertyTypes wants them. */
function some<T extends object>(all: { [K in keyof Required<T>]: fc.Arbitrary<NonNullable<T[K]>> }, required: readonly (keyof T)[]): fc.Arbitrary<T> {
  return fc.record(all as never, { requiredKeys: required as never, noNullPrototype: true }) as unknown as fc.Arbitrary<T>;
}

const label = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
const dnsName = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
const device = fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/);
const words = fc.stringMatching(/^[a-zA-Z0-9é<>&"' ,;=/]{1,12}$/).filter((text) => text.trim() !== '');
const small = fc.integer({ min: 1, max: 0xffff });
const mac = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 5, maxLength: 5 }).map((bytes) =>
  ['52', ...bytes.map((byte) => byte.toString(16).padStart(2, '0'))].join(':'));
const uuid = fc.uuid();

const lease: fc.Arbitrary<LeaseTime> = fc.oneof(
  fc.constant<LeaseTime>({ expiry: 0, unit: 'minutes' }),
  fc.record({ expiry: fc.integer({ min: 120, max: 100_000 }), unit: fc.constantFrom('seconds', 'minutes', 'hours') }, { noNullPrototype: true }),
);

function hosts(family: 'ipv4' | 'ipv6', base: string): fc.Arbitrary<DhcpHost[]> {
  const ip = fc.integer({ min: 1, max: 250 }).map((n) => base + (family === 'ipv6' ? n.toString(16) : n));
  const host = family === 'ipv4'
    ? some<DhcpHost>({ mac, name: label, ip, lease, id: fc.constant('ff:01') }, ['mac', 'ip'])
    : some<DhcpHost>({ id: fc.constant('00:01:02:ab'), name: label, ip, lease, mac: fc.constant('') }, ['name', 'ip']).map(({ mac: _, ...rest }) => rest);
  return fc.array(host, { maxLength: 3 });
}

function dhcp(family: 'ipv4' | 'ipv6', base: string): fc.Arbitrary<Dhcp> {
  const start = family === 'ipv6' ? `${base}10` : `${base}10`;
  const end = family === 'ipv6' ? `${base}ff` : `${base}99`;
  const range = fc.oneof(fc.constant({ start, end }), lease.map((time) => ({ start, end, lease: time })));
  return fc.record({ ranges: fc.array(range, { minLength: 1, maxLength: 2 }), hosts: hosts(family, base), bootp: fc.oneof(
    fc.constant({ file: 'pxelinux.0' }), fc.constant({ file: '/boot/a b.img', server: '10.0.0.9' })) }, { requiredKeys: ['ranges', 'hosts'], noNullPrototype: true })
    .map((served) => {
      if (family === 'ipv6') delete served.bootp;
      return served as Dhcp;
    });
}

const ipv4: fc.Arbitrary<Ip> = fc.integer({ min: 1, max: 200 }).chain((n) => {
  const base = `10.${n}.3.`;
  return fc.tuple(
    some<Ip>({
      family: fc.constant('ipv4'), address: fc.constant(`${base}1`), netmask: fc.constant(''), prefix: fc.constant(0), localPtr: fc.boolean(), tftpRoot: fc.constant('/srv/tftp'), dhcp: dhcp('ipv4', base),
    }, ['address']), fc.boolean()).map(([{ netmask: _, prefix: __, ...part }, asMask]) => (asMask ? { ...part, netmask: '255.255.255.0' } : { ...part, prefix: 24 }));
});

const ipv6: fc.Arbitrary<Ip> = fc.integer({ min: 1, max: 999 }).chain((n) => {
  const base = `2001:db8:${n}::`;
  return some<Ip>({
    family: fc.constant('ipv6'), address: fc.constant(`${base}1`), netmask: fc.constant(''), prefix: fc.constant(64), localPtr: fc.boolean(), tftpRoot: fc.constant(''), dhcp: dhcp('ipv6', base),
  }, ['family', 'address', 'prefix']).map(({ netmask: _, tftpRoot: __, ...part }) => part);
});

/** Any number of addresses, one of each family with DHCP. */
const ips = fc.array(fc.oneof(ipv4, ipv6), { maxLength: 4 }).map((list) => {
  const served = new Set<string>();
  return list.map(({ dhcp: own, ...part }) => {
    const family = part.family ?? 'ipv4';
    if (own === undefined || served.has(family)) return part;
    served.add(family);
    return { ...part, dhcp: own };
  });
});

const srv: fc.Arbitrary<Srv> = fc.oneof(
  some<Srv>({ service: label, protocol: fc.constantFrom('tcp', 'udp', 'sctp'), domain: dnsName, target: dnsName, port: small, priority: small, weight: small }, ['service', 'protocol', 'target']),
  fc.record({ service: label, protocol: fc.constant('tcp') }, { noNullPrototype: true }),
);

const dns: fc.Arbitrary<Dns> = some<Dns>({
  enable: fc.constant(true),
  forwardPlainNames: fc.boolean(),
  forwarders: fc.array(fc.oneof(
    fc.record({ address: fc.constantFrom('10.0.0.1', '2001:db8::1', '::ffff:10.0.0.1') }, { noNullPrototype: true }),
    fc.record({ domain: dnsName, address: fc.constant('10.0.0.2') }, { noNullPrototype: true }), fc.record({ domain: dnsName }, { noNullPrototype: true })), { minLength: 1, maxLength: 3 }),
  txts: fc.array(fc.record({ name: dnsName, value: words }, { noNullPrototype: true }), { maxLength: 2 }),
  srvs: fc.array(srv, { maxLength: 3 }),
  hosts: fc.array(fc.record({ ip: fc.constantFrom('10.0.0.3', 'fe80::5'), hostnames: fc.array(dnsName, { minLength: 1, maxLength: 3 }) }, { noNullPrototype: true }), { maxLength: 2 }),
}, ['forwarders', 'txts', 'srvs', 'hosts']);

const direction = some<NonNullable<Bandwidth['outbound']>>({ average: small, peak: small, burst: small, floor: small }, ['average']).map(({ floor: _, ...rest }) => rest);
const bandwidth: fc.Arbitrary<Bandwidth> = some<Bandwidth>({ inbound: direction, outbound: direction, classId: small }, ['inbound']).map(({ classId: _, ...rest }) => rest);

const vlan: fc.Arbitrary<Vlan> = fc.oneof(
  fc.constantFrom<Vlan>({ tags: [{ id: 5 }] }, { trunk: true, tags: [{ id: 0 }] }, { tags: [{ id: 7, nativeMode: 'tagged' }] }),
  fc.array(fc.integer({ min: 0, max: 4095 }), { minLength: 2, maxLength: 3 }).map((ids) => ({ trunk: true, tags: ids.map((id) => ({ id })) })),
);

const virtualPort: fc.Arbitrary<VirtualPort> = fc.oneof(
  uuid.map((instanceId): VirtualPort => ({ type: '802.1Qbg', parameters: { managerId: 1, typeId: 77, typeIdVersion: 2, instanceId } })),
  fc.constant<VirtualPort>({ type: '802.1Qbh', parameters: { profileId: 'finance' } }),
  uuid.map((interfaceId): VirtualPort => ({ type: 'openvswitch', parameters: { interfaceId, profileId: 'x-1' } })),
  fc.constantFrom<VirtualPort>({ type: 'midonet' }, { type: 'openvswitch' }),
);

function portGroups(shaped: boolean, tagged: boolean): fc.Arbitrary<PortGroup[]> {
  return fc.uniqueArray(some<PortGroup>({ name: label, default: fc.constant(true), trustGuestRxFilters: fc.boolean(), vlan, virtualPort: fc.constant({}), bandwidth }, ['name']), { selector: ({ name }) => name, maxLength: 3 })
    .map((groups) => groups.map(({ default: isDefault, virtualPort: _, ...group }, i) => {
      const kept: PortGroup = { ...group, ...(isDefault === true && i === 0 ? { default: true } : {}) };
      if (!shaped) delete kept.bandwidth;
      if (!tagged) delete kept.vlan;
      return kept;
    }));
}

const metadata = fc.uniqueArray(label, { minLength: 1, maxLength: 2 }).map((names) => names.map((name) => ({
  name: `m:${name}`,
  attributes: [{ name: 'xmlns:m', value: `urn:${name}` }, { name: 'key', value: `a "b" <${name}> & 'c'` }],
  children: [{ name: 'm:child', attributes: [], children: ['text & <more>'] }, { name: 'plain', attributes: [], children: [] }],
})));

const bridge: fc.Arbitrary<Bridge> = some<Bridge>({
  name: device, zone: fc.constant('public'), stp: fc.boolean(), delay: fc.integer({ min: 0, max: 30 }), macTableManager: fc.constantFrom('kernel', 'libvirt'),
}, ['stp', 'delay']);

const common = {
  trustGuestRxFilters: fc.boolean(),
  name: fc.stringMatching(/^[a-zA-Z0-9é .<&'"_-]{1,20}$/).filter((name) => name !== '.' && name !== '..'),
  uuid,
  title: words,
  description: words.map((text) => `${text}\nand more`),
  metadata,
  port: fc.boolean().map((isolated) => ({ isolated })),
};

/** A network whose bridge is vnet's own. */
const managed: fc.Arbitrary<NetworkDefinition> = fc.record({
  ...common,
  ipv6: fc.constant(true), bridge, mtu: fc.integer({ min: 68, max: 9000 }), mac, dns, bandwidth, virtualPort,
  domain: some<Domain>({ name: dnsName, localOnly: fc.constant(true), register: fc.boolean() }, ['name', 'localOnly']),
  forward: fc.record({
    mode: fc.constantFrom<ForwardMode>('nat', 'route', 'open'), device: fc.option(device), ipv6: fc.option(fc.boolean()), ports: fc.boolean(), addresses: fc.boolean(),
  }, { noNullPrototype: true }),
  ips, portGroups: portGroups(true, false), dnsmasqOptions: fc.array(words, { maxLength: 2 }), gateway: fc.boolean(),
}, { requiredKeys: ['name', 'uuid', 'bridge', 'ips', 'portGroups', 'dnsmasqOptions', 'gateway'], noNullPrototype: true })
  .map(({ forward, gateway, ...rest }) => {
    const definition = { ...rest, routes: gateway ? routesVia(rest.ips) : [] } as unknown as NetworkDefinition;
    if (forward !== undefined && definition.ips.length > 0) definition.forward = managedForward(forward);
    if (definition.forward?.mode === 'route' && definition.forward.dev !== undefined) definition.proxy = proxyFor(definition.ips);
    return definition;
  });

function managedForward(wish: { mode: ForwardMode; device: string | null; ipv6: boolean | null; ports: boolean; addresses: boolean }): Forward {
  const forward: Forward = { mode: wish.mode, interfaces: [], addresses: [] };
  if (wish.device !== null && wish.mode !== 'open') Object.assign(forward, { dev: wish.device, interfaces: [wish.device] });
  const nat = {
    ...(wish.ipv6 === null ? {} : { ipv6: wish.ipv6 }),
    ...(wish.ports ? { port: { start: 1024, end: 2048 } } : {}),
    ...(wish.addresses ? { address: { start: '192.0.2.4', end: '192.0.2.8' } } : {}),
  };
  if (wish.mode === 'nat' && Object.keys(nat).length > 0) forward.nat = nat;
  return forward;
}

function proxyFor(list: Ip[]): Proxy {
  return { ...(list.some(({ family }) => family !== 'ipv6') ? { arp: true } : {}), ...(list.some(({ family }) => family === 'ipv6') ? { ndp: true } : {}) };
}

function routesVia(list: Ip[]): Route[] {
  return list.slice(0, 1).map((ip): Route => (ip.family === 'ipv6'
    ? { family: 'ipv6', address: '2001:db8:ffff::', prefix: 48, gateway: `${ip.address.slice(0, -1)}7`, metric: 3 }
    : { address: '172.16.0.0', netmask: '255.240.0.0', gateway: `${ip.address.slice(0, -1)}7` }));
}

/** A network on devices or a bridge of the host's. */
const external: fc.Arbitrary<NetworkDefinition> = fc.constantFrom<ForwardMode>('bridge', 'private', 'vepa', 'passthrough', 'hostdev').chain((mode) => {
  const shared = { ...common, ...(mode === 'bridge' ? {} : { virtualPort }) };
  const tagged = mode === 'hostdev' || mode === 'passthrough' || mode === 'bridge';
  return fc.tuple(
    fc.record({ ...shared, vlan, portGroups: portGroups(mode === 'bridge', tagged && mode === 'bridge') }, { requiredKeys: ['name', 'uuid', 'portGroups'], noNullPrototype: true }),
    fc.uniqueArray(device, { minLength: 1, maxLength: 3 }), fc.boolean(), fc.boolean(), device,
  ).map(([{ vlan: tags, ...rest }, devices, withPf, isManaged, bridgeName]) => ({
    ...rest,
    ...(tagged && tags !== undefined ? { vlan: tags } : {}),
    ...(mode === 'bridge' ? { bridge: { name: bridgeName, stp: true, delay: 0 } } : {}),
    forward: externalForward(mode, devices, withPf, isManaged),
    ips: [], routes: [], dnsmasqOptions: [],
  }) as NetworkDefinition);
});

function externalForward(mode: ForwardMode, devices: string[], withPf: boolean, isManaged: boolean): Forward {
  const forward: Forward = { mode, interfaces: [], addresses: [] };
  if (mode === 'bridge') return forward;
  if (mode === 'hostdev') Object.assign(forward, { managed: isManaged, driver: { name: 'vfio' } });
  if (withPf) return { ...forward, pf: devices[0] as string };
  if (mode !== 'hostdev') return { ...forward, dev: devices[0] as string, interfaces: devices };
  return { ...forward, addresses: devices.map((_, i) => ({ domain: 0, bus: 3, slot: i, function: 1 })) };
}

/** Any network. */
export const anyDefinition: fc.Arbitrary<NetworkDefinition> = fc.oneof({ weight: 3, arbitrary: managed }, { weight: 1, arbitrary: external });
