/** Which subnets a network may have beside what the host and other networks have. */
import { describe, expect, it } from 'vitest';
import { refuseOverlap } from '../../../server/driver/overlap.js';
import { Register } from '../../../server/driver/register.js';
import { parseNetwork } from '../../../shared/definition/index.js';

const routes = [{ subnet: '192.0.2.0/24', interface: 'eth0' }, { subnet: '2001:db8::/64', interface: 'eth0' }, { subnet: '198.51.100.0/24', interface: 'eth1' }];

/** What is said of a routed network on eth0 with these addresses. */
function refusal(ip: string, proxy: string): string | undefined {
  const { definition } = parseNetwork(`<network xmlns:vnet='urn:vnet:network:1'><name>n</name><uuid>3a7b1f0e-95d2-4c63-8b1e-0f6a2d9c4b57</uuid>
    <forward mode='route' dev='eth0'/>${ip}${proxy}</network>`, { validate: false });
  const register = new Register();
  const record = register.claim('n', definition.uuid!, definition);
  try {
    refuseOverlap(register, record, definition, routes);
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
}

const both = "<vnet:proxy arp='yes' ndp='yes'/>";

describe('a subnet inside that of the LAN', () => {
  it.each([
    ["<ip address='192.0.2.129' prefix='26'/>", both], ["<ip family='ipv6' address='2001:db8:0:0:80::1' prefix='80'/>", both],
    ["<ip address='192.0.2.129' prefix='26'/>", "<vnet:proxy arp='yes'/>"], ["<ip address='10.0.0.1' prefix='24'/>", ''],
  ])('may be had where the host answers for it: %s %s', (ip, proxy) => {
    expect(refusal(ip, proxy)).toBeUndefined();
  });

  it.each([
    ["<ip address='192.0.2.129' prefix='26'/>", ''], ["<ip address='192.0.2.129' prefix='26'/>", "<vnet:proxy ndp='yes'/>"],
    ["<ip family='ipv6' address='2001:db8:0:0:80::1' prefix='80'/>", "<vnet:proxy arp='yes'/>"],
    // The whole LAN, or more, and another one.
    ["<ip address='192.0.2.129' prefix='24'/>", both], ["<ip address='192.0.2.129' prefix='16'/>", both], ["<ip address='198.51.100.129' prefix='26'/>", both],
  ])('T5: is refused otherwise: %s %s', (ip, proxy) => {
    expect(refusal(ip, proxy)).toMatch(/already in use by interface eth/);
  });
});

/** What is said of a network with this inside, beside the routes above and a network that stands with 10.20.0.0/16 and fd20::/48. */
function refusalBeside(inner: string, other = true): string | undefined {
  const network = (name: string, digit: string, content: string) => parseNetwork(`<network><name>${name}</name><uuid>3a7b1f0e-95d2-4c63-8b1e-00000000000${digit}</uuid>${content}</network>`, { validate: false }).definition;
  const register = new Register();
  if (other) {
    const stands = network('stands', '1', "<bridge name='virbr7'/><ip address='10.20.0.1' prefix='16'/><ip family='ipv6' address='fd20::1' prefix='48'/>");
    register.claim('stands', stands.uuid!, stands).live = stands;
  }
  const definition = network('n', '2', inner);
  try {
    refuseOverlap(register, register.claim('n', definition.uuid!, definition), definition, routes);
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
}

describe('a subnet that is somebody else\'s', () => {
  const ip = (address: string, prefix: number) => `<ip family='${address.includes(':') ? 'ipv6' : 'ipv4'}' address='${address}' prefix='${prefix}'/>`;
  it.each([
    // Of the host: the same, a part, all of it and more, everything, two addresses, one address; then of IPv6.
    ip('192.0.2.1', 24), ip('192.0.2.129', 25), ip('192.0.0.1', 16), "<ip address='1.2.3.4' netmask='0.0.0.0'/>", ip('129.0.0.1', 1), ip('192.0.2.8', 31), ip('192.0.2.9', 32),
    ip('2001:db8::1', 64), ip('2001:db8::1', 32), ip('2001:db8::1:0:0:1', 96), ip('2001:db8::7', 128), ip('::1:2:3', 1),
    // Of another network.
    ip('10.20.0.1', 16), ip('10.20.7.1', 24), ip('10.0.0.1', 8), ip('fd20::1', 48), ip('fd20::7:0:0:0:1', 64), ip('fd00::1', 8),
    // The second of two.
    ip('10.30.0.1', 24) + ip('10.20.255.1', 30),
  ])('T5: is refused: %s', (inner) => {
    expect(refusalBeside(inner)).toMatch(/^internal error: Network is already in use by interface (eth|virbr7)/);
  });

  it.each([ip('192.0.3.1', 24), ip('10.21.0.1', 16), ip('fd21::1', 48), ip('2001:db8:0:1::1', 64), ip('::ffff:192.0.2.1', 120)])('but not what is beside it, or only looks like it: %s', (inner) => {
    expect(refusalBeside(inner)).toBeUndefined();
  });
});

describe('a static route', () => {
  const route = (address: string, prefix: number, gateway = address.includes(':') ? 'fd99::9' : '10.99.0.9') =>
    `<ip address='10.99.0.1' prefix='24'/><ip family='ipv6' address='fd99::1' prefix='64'/><route family='${address.includes(':') ? 'ipv6' : 'ipv4'}' address='${address}' prefix='${prefix}' gateway='${gateway}'/>`;
  it.each([
    route('0.0.0.0', 0), route('::', 0), route('192.0.2.0', 24), route('192.0.2.128', 25), route('192.0.2.7', 32), route('2001:db8::', 64), route('2001:db8::', 80),
    route('10.20.0.0', 16), route('10.20.3.0', 24), route('fd20::', 64),
  ])('T5: that takes what is sent to others is refused: %s', (inner) => {
    expect(refusalBeside(inner)).toMatch(/^internal error: Route address '.*' of network 'n' conflicts with /);
  });

  it.each([route('172.16.0.0', 12), route('192.0.0.0', 16), route('10.0.0.0', 8), route('fd00::', 8), route('10.99.0.128', 25)])('to guests, or around others, is not: %s', (inner) => {
    expect(refusalBeside(inner)).toBeUndefined();
  });
});
