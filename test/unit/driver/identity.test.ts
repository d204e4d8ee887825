/** The bridge names that vnet gives. */
import { describe, expect, it } from 'vitest';
import { nameBridge } from '../../../server/driver/identity.js';
import { parseNetwork } from '../../../shared/definition/index.js';

const network = (bridge = '') => parseNetwork(`<network><name>n</name>${bridge}</network>`).definition;
const below = (count: number, stem: string) => new Set(Array.from({ length: count }, (_, n) => `${stem}${n}`));

describe('a bridge without a name', () => {
  it('gets the first number that is free, for a thousand networks and more', () => {
    expect(nameBridge(network(), new Set(['virbr0', 'virbr2'])).bridge?.name).toBe('virbr1');
    expect(nameBridge(network(), below(1000, 'virbr')).bridge?.name).toBe('virbr1000');
  });

  it('gets none that the kernel would not take', () => {
    const twelve = "<bridge name='abcdefghijkl%d'/>";
    expect(nameBridge(network(twelve), below(999, 'abcdefghijkl')).bridge?.name).toBe('abcdefghijkl999');
    expect(() => nameBridge(network(twelve), below(1000, 'abcdefghijkl'))).toThrow(/no free bridge name: abcdefghijkl%d/);
  });
});
