/**
 * Lives here: the test driver: the real rules over an idle host and a memory
 * store, with two networks to start from.
 */
import { silentLog } from '../log.js';
import { LocalNetworkDriver } from './local-driver.js';
import { define, setAutostart, start, type Estate } from './lifecycle.js';
import { Journal } from './events.js';
import { noRepairs } from './health.js';
import type { HostLease } from './host.js';
import { watchHost } from './host-watch.js';
import { createIdleHost } from './idle-host.js';
import { createMemoryStore } from './memory-store.js';
import { Register } from './register.js';

/** The networks of a new test driver: `default` runs, `private` is defined. */
const networks = [
  {
    started: true,
    xml: `<network>
  <name>default</name>
  <uuid>d51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a001</uuid>
  <forward mode='nat'/>
  <bridge name='virbr0'/>
  <mac address='52:54:00:10:20:30'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
  </ip>
</network>`,
  },
  {
    started: false,
    xml: `<network>
  <name>private</name>
  <uuid>d51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a002</uuid>
  <bridge name='virbr1'/>
  <mac address='52:54:00:10:20:31'/>
  <ip address='192.168.152.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.152.2' end='192.168.152.254'/></dhcp>
  </ip>
</network>`,
  },
];

/** The leases on `default`: one for an hour from the start on, one for ever. */
function defaultLeases(): HostLease[] {
  const inAnHour = Math.floor(Date.now() / 1000) + 3600;
  return [
    { expiry: inAnHour, family: 'ipv4', mac: '52:54:00:10:20:41', address: '192.168.122.41', hostname: 'web', clientId: '01:52:54:00:10:20:41' },
    { expiry: 0, family: 'ipv4', mac: '52:54:00:10:20:42', address: '192.168.122.42' },
  ];
}

/** A new test driver; each has networks of its own. Two guests have leases on `default`, which can be taken back. */
export async function openTestDriver(): Promise<LocalNetworkDriver> {
  const host = createIdleHost({ 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a001': defaultLeases() });
  const estate: Estate = { register: new Register(), host, store: createMemoryStore(), journal: new Journal(), repairs: noRepairs(), log: silentLog };
  for (const { started, xml } of networks) {
    const { record } = await define(estate, xml, true);
    if (!started) continue;
    await setAutostart(estate, record, true);
    await start(estate, record);
  }
  void watchHost(estate);
  return new LocalNetworkDriver('test', estate);
}
