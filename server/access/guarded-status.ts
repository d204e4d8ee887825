/**
 * Lives here: how networks are, as far as one caller may know. Does not know:
 * who the caller is, how rights come about.
 */
import type { GetStatusResponse, Network } from '../../shared/gen/vnet/v1/network_driver.js';
import { mentions } from './mentions.js';

/** What stands in place of words that tell of a hidden network. */
const withheld = 'it has to do with a network that you may not see';

/**
 * Leaves out the networks that a caller is not shown, and the files of their
 * definitions, which are networks to be. That a network is degraded stays,
 * whatever the reason.
 *
 * @param shows whether the caller is shown a network of this name
 * @param hidden every network that is not there for it
 */
export function visibleStatus({ networks, damagedFiles }: GetStatusResponse, shows: (name: string) => boolean, hidden: readonly Network[]): GetStatusResponse {
  const said = (words: string) => (mentions(words, hidden) ? withheld : words);
  return {
    networks: networks.filter(({ network }) => shows(network?.name ?? '')).map((status) => ({
      ...status,
      faults: status.faults.map((fault) => ({ ...fault, message: said(fault.message) })),
      repairs: status.repairs.map((repair) => ({ ...repair, what: said(repair.what) })),
    })),
    damagedFiles: damagedFiles.filter(({ path, network }) => (network === '' || shows(network)) && !mentions(path, hidden))
      .map((file) => ({ ...file, message: said(file.message) })),
  };
}
