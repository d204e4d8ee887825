/** What differs between a bridge and its network's plan, and the lines that put it right. */
import { expect, it } from 'vitest';
import type { NetworkPlan } from '../../../server/driver/host.js';
import { driftOf, type SeenBridge } from '../../../server/host/link-repair.js';
import { parseNetwork } from '../../../shared/definition/index.js';

const uuid = '4b6bd1a5-3c5e-4f0e-9f12-000000000001';

function plan(parts: string): NetworkPlan {
  const { definition } = parseNetwork(`<network><name>n</name><uuid>${uuid}</uuid><bridge name='b' stp='off'/>${parts}</network>`);
  return { uuid, name: 'n', bridge: 'b', definition };
}

const full = plan(`<mtu size='1400'/><ip address='10.7.0.1' prefix='24'/><ip family='ipv6' address='fd00:7::1' prefix='64'/><route address='10.8.0.9' prefix='32' gateway='10.7.0.2'/>`);
const whole: SeenBridge = {
  ifname: 'b', ifalias: `vnet:${uuid}`, flags: ['BROADCAST', 'UP'], mtu: 1400, linkinfo: { info_data: { stp_state: 0 } },
  addr_info: [{ family: 'inet', local: '10.7.0.1', prefixlen: 24 }, { family: 'inet6', local: 'fd00:7::1', prefixlen: 64 }],
};
const drift = (of: NetworkPlan, seen: SeenBridge, routes = ['10.8.0.9 b']) => driftOf(of, { byName: new Map([['b', seen]]), routes: new Set(routes) });

it('F11: a bridge as it should be has nothing to mend, whatever others added to it', () => {
  expect(drift(full, whole)).toEqual({ what: [], lines: [] });
  expect(drift(full, { ...whole, addr_info: [...whole.addr_info!, { family: 'inet', local: '10.9.9.9', prefixlen: 24 }] })).toEqual({ what: [], lines: [] });
  expect(drift(plan(''), { ...whole, mtu: 9000, addr_info: [] })).toEqual({ what: [], lines: [] });
});

it('F10: one that is gone, or is somebody else\'s, is lost and not mended', () => {
  expect(driftOf(full, { byName: new Map(), routes: new Set() })).toBeUndefined();
  expect(drift(full, { ...whole, ifalias: 'vnet:another' })).toBeUndefined();
});

it('F11: what differs is said and put right in the order of a start: addresses, up, routes', () => {
  expect(drift(full, { ...whole, flags: [], mtu: 1500, linkinfo: { info_data: { stp_state: 1 } }, addr_info: [] }, [])).toEqual({
    what: ['MTU 1500', 'STP on', 'address 10.7.0.1/24 missing', 'address fd00:7::1/64 missing', 'set down', 'route 10.8.0.9/32 missing'],
    lines: [
      'link set dev b mtu 1400', 'link set dev b type bridge stp_state 0', 'addr replace 10.7.0.1/24 broadcast 10.7.0.255 dev b', 'addr replace fd00:7::1/64 dev b nodad',
      'link set dev b up', 'route replace 10.8.0.9/32 via 10.7.0.2 dev b proto static metric 1',
    ],
    ipv6: true,
  });
});

it('F11: IPv6 that somebody turned on where the network has none is turned off', () => {
  expect(drift(plan(`<ip address='10.7.0.1' prefix='24'/>`), { ...whole, addr_info: [whole.addr_info![0]!, { family: 'inet6', local: 'fe80::1', prefixlen: 64, scope: 'link' }] }))
    .toEqual({ what: ['IPv6 on'], lines: [], ipv6: false });
  const given = { family: 'inet6', local: 'fd00:9::1', prefixlen: 64, scope: 'global' };
  expect(drift(plan(`<ip address='10.7.0.1' prefix='24'/>`), { ...whole, addr_info: [whole.addr_info![0]!, given, { family: 'inet6', local: 'fe80::1', prefixlen: 64, scope: 'link' }] }))
    .toEqual({ what: [], lines: [] });
});
