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
  ])('is refused otherwise: %s %s', (ip, proxy) => {
    expect(refusal(ip, proxy)).toMatch(/already in use by interface eth/);
  });
});
