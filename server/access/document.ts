/**
 * Lives here: which network a request is about before anything is done for it,
 * also where a document says so. Does not know: which networks there are.
 */
import { parseNetwork } from '../../shared/definition/index.js';
import type { Network } from '../../shared/gen/vnet/v1/network_driver.js';

/** What a document was found to be about, so that it is read once for all who ask. */
const read = new WeakMap<object, Network | undefined>();

/**
 * The network that a document defines; its UUID is empty if the document leaves
 * it open. Undefined if it is none: the driver will say why.
 *
 * @param request the request with the document
 */
export function networkDefined(request: { readonly xml: string }): Network | undefined {
  if (read.has(request)) return read.get(request);
  let found: Network | undefined;
  try {
    const { name, uuid = '' } = parseNetwork(request.xml, { validate: false }).definition;
    found = { name, uuid };
  } catch {
    found = undefined;
  }
  read.set(request, found);
  return found;
}

/** The handle in a request, as the caller wrote it; undefined if it has none. */
export function handleIn(request: unknown): Network | undefined {
  const { network, port } = request as { network?: Network; port?: { network?: Network } };
  return network ?? port?.network;
}
