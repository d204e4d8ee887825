/**
 * Lives here: a host without a firewall: networks that need rules are refused,
 * those that need none can be had. Does not know: why there is none.
 */
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import type { NetworkPlan } from '../../driver/host.js';
import type { Firewall } from './firewall.js';
import { policyOf } from './policy.js';

/**
 * Opens the firewall that guards nothing, and says so.
 *
 * @param hint what to do to get another
 */
export function openNone(hint: string): Firewall {
  const needsRules = (plan: NetworkPlan): boolean => policyOf(plan) !== undefined;
  const refuse = async (): Promise<never> => {
    throw new NetworkError(ErrorCode.NO_SUPPORT, 'no firewall is available on this host, and the network needs rules', { hint });
  };
  return {
    name: 'none',
    tools: [],
    require: refuse,
    apply: async (plans) => {
      if (plans.some(needsRules)) await refuse();
    },
    update: async (_, after) => {
      if (needsRules(after)) await refuse();
    },
    remove: async () => undefined,
    tidy: async () => undefined,
    present: async (plans) => plans.map((plan) => !needsRules(plan)),
    holdsAny: async () => false,
    notice: refuse,
  };
}
