/** For which IPv6 addresses the host answers before it has heard of anybody. */
import { describe, expect, it } from 'vitest';
import { knownAddresses } from '../../../server/host/proxy.js';
import { parseNetwork } from '../../../shared/definition/index.js';

function known(ip: string): string[] {
  const { definition } = parseNetwork(`<network xmlns:vnet='urn:vnet:network:1'><name>n</name><forward mode='route' dev='eth0'/>
    <ip address='192.0.2.129' prefix='26'/>${ip}<vnet:proxy ndp='yes'/></network>`);
  return knownAddresses({ uuid: '', name: 'n', bridge: 'br0', definition });
}

describe('the addresses that a definition tells', () => {
  it('are the host\'s own, those of DHCP hosts, and ranges that are not large', () => {
    expect(known(`<ip family='ipv6' address='2001:db8::8:1' prefix='112'><dhcp><range start='2001:db8::8:10' end='2001:db8::8:12'/>
      <range start='2001:db8::8:1000' end='2001:db8::8:2000'/><host id='0:1' ip='2001:db8::8:77'/></dhcp></ip>`)).toEqual(
      ['2001:db8::8:1', '2001:db8::8:77', '2001:db8::8:10', '2001:db8::8:11', '2001:db8::8:12']);
  });

  it('are the whole subnet if it is small', () => {
    expect(new Set(known("<ip family='ipv6' address='2001:db8::8:1' prefix='120'/>")).size).toBe(256);
    expect(known("<ip family='ipv6' address='2001:db8::8:1' prefix='119'/>")).toEqual(['2001:db8::8:1']);
  });
});
