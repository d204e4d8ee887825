/**
 * Lives here: the defences against who sends much, oddly, or nothing, T10 to
 * T15, as far as they show without an attack (see limits.ts). Does not know: how a
 * test is run.
 */
import { defence, type Defence } from './defence.js';

const admission = 'server/limits/admission.ts';
const limits = 'test/unit/server/limits/limits.test.ts';

export const ofLoad: readonly Defence[] = [
  defence('T10', 'a message has a size',
    ['server/listen.ts', "'grpc.max_receive_message_length': door.kind", "'grpc.max_receive_message_length': limits.connections > 0 ? -1 : door.kind"],
    ['test/interop/outside.test.ts', 'T10: with too large a request']),
  defence('T11', 'a message has so many pieces',
    ['server/limits/messages.ts', 'return this.pieces <= piecesFree + this.partial / bytesPerPiece;', 'return true;'],
    [limits, 'T11: may not come in a piece for each byte']),
  defence('T12', 'who says nothing has to go for others',
    [admission, 'if (this.#strangers.size >= this.limits.unauthenticated) this.#evict();', ''], [limits, 'T12, T13: lets the oldest stranger']),
  defence('T13', 'those go first who are a crowd',
    [admission, 'sort((a, b) => b.length - a.length)', 'sort((a, b) => a.length - b.length)'], [limits, 'T12, T13: lets the oldest stranger']),
  defence('T14', 'a Node that lacks fixes is complained of',
    ['server/limits/node-release.ts', 'return minor > leastMinor || (minor === leastMinor && patch >= leastPatch) ? undefined', 'return minor >= 0 ? undefined'],
    [limits, 'T14: is complained of']),
  defence('T15', 'there are so many connections',
    [admission, "if (this.#guests.size >= most) return 'connections';", ''], [limits, 'T15: lets in no more than there are descriptors']),
  defence('T15', 'some places are the read-write socket\'s',
    [admission, ' - Math.min(limits.connectionsKept, Math.floor(most / 2))', ''], [limits, 'T15: keeps places for the read-write socket']),
  defence('T15', 'an address has so many',
    [admission, "if (address !== undefined && (this.#addresses.get(address) ?? 0) >= limits.connectionsPerAddress) return 'connectionsPerAddress';", ''],
    [limits, 'T15: counts each address']),
  defence('T15', 'an account has so many',
    [admission, "if ((this.#users.get(uid) ?? 0) >= this.limits.connectionsPerUser) return 'connectionsPerUser';", ''], [limits, 'T15: counts each account']),
];
