/**
 * Lives here: how a refusal is worded, and how it is known again. Does not
 * know: why somebody is refused.
 */
import { canonicalUuid } from '../../shared/address.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { Network } from '../../shared/gen/vnet/v1/network_driver.js';
import { noNetwork } from '../driver/register.js';
import type { Permission } from './permissions.js';

/** The cause of a NO_NETWORK that hides a network from its caller. It is never sent; the audit looks for it. */
export class Hidden {
  constructor(readonly network: Network) {}
}

/** What a refusal tells of. */
export interface Refused {
  procedure: string;
  permission: Permission;
  /** Who asked. */
  who: string;
  /** On which network; undefined: on any. */
  network?: string;
}

/** The error of a call that its caller may not make. It says what is missing, and to whom. */
export function denied({ procedure, permission, who, network }: Refused): NetworkError {
  const on = network === undefined ? '' : ` on network '${network}'`;
  return new NetworkError(ErrorCode.ACCESS_DENIED, `${procedure}${on}`, {
    hint: `it needs ${permission}${on}, which ${who} does not have; 'vnet whoami' shows what you may do, and /etc/vnet/access.toml on the host grants it`,
  });
}

/**
 * The error that hides a network: to the byte that of a handle that leads nowhere.
 *
 * @param handle as the caller wrote it
 */
export function hide(handle: Network | undefined, found: Network): NetworkError {
  const { name = '', uuid = '' } = handle ?? {};
  return noNetwork({ name, uuid: uuid === '' ? '' : canonicalUuid(uuid) ?? uuid }, new Hidden(found));
}
