/**
 * Lives here: what every NetworkDriver must tell of the health of networks.
 * Part of the suite.
 */
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../shared/errors.js';
import type { Network, NetworkDriver } from '../../shared/gen/vnet/v1/network_driver.js';
import { refused } from './refused.js';

/** The part of the suite about status. @param driver the driver under test, once it is open */
export function describeStatus(driver: () => NetworkDriver): void {
  describe('status', () => {
    const network: Network = { name: 'conf-status', uuid: '00000000-1111-2222-3333-888888888888' };
    const xml = `<network><name>${network.name}</name><uuid>${network.uuid}</uuid><bridge name='confstat0'/></network>`;
    const status = async () => (await driver().getStatus({ network: { name: '', uuid: network.uuid } })).networks;

    it('tells of each network whether it stands and that nothing is wrong with it', async () => {
      await refused(driver().getStatus({ network }), ErrorCode.NO_NETWORK, /conf-status/);
      await driver().networkDefineXml({ xml, validate: true });
      expect(await status()).toEqual([{ network, active: false, faults: [], repairs: [] }]);
      await driver().networkCreate({ network });
      expect(await status()).toEqual([{ network, active: true, faults: [], repairs: [] }]);
      const all = await driver().getStatus({ network: undefined });
      const names = all.networks.map((one) => one.network!.name);
      expect(names).toContain('conf-status');
      expect(names).toEqual([...names].sort());
      expect(all.damagedFiles).toEqual([]);
      await driver().networkDestroy({ network });
      await driver().networkUndefine({ network });
    });
  });
}
