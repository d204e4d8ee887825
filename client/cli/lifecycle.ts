/**
 * Lives here: the commands that move networks from one state to another. Does
 * not know: which moves are legal; the host decides.
 */
import type { Network } from '../network.js';
import type { Call } from './call.js';
import { attempt } from './failure.js';

/** A move in virsh's words. */
interface Move {
  /** What did not happen, for the first line of the error. */
  failed(name: string): string;
  /** What happened, as a sentence. */
  done(name: string): string;
  /** The same for programs. */
  result: string;
  move(network: Network, call: Call): Promise<void>;
}

/** `vnet start`. */
export const runStart = (call: Call) => moveEach(call, {
  failed: (name) => `Failed to start network ${name}`,
  done: (name) => `Network ${name} started`,
  result: 'started',
  move: (network) => network.start(),
});

/** `vnet destroy`, `vnet stop`. */
export const runDestroy = (call: Call) => moveEach(call, {
  failed: (name) => `Failed to destroy network ${name}`,
  done: (name) => `Network ${name} destroyed`,
  result: 'destroyed',
  move: (network, call) => network.destroy(call.flag('force') ? { force: true } : {}),
});

/** `vnet undefine`. */
export const runUndefine = (call: Call) => moveEach(call, {
  failed: (name) => `Failed to undefine network ${name}`,
  done: (name) => `Network ${name} has been undefined`,
  result: 'undefined',
  move: (network) => network.undefine(),
});

/** `vnet autostart`. */
export const runAutostart = (call: Call) => {
  const mark = call.flag('disable') ? 'unmark' : 'mark';
  return moveEach(call, {
    failed: (name) => `failed to ${mark} network ${name} as autostarted`,
    done: (name) => `Network ${name} ${mark}ed as autostarted`,
    result: `${mark}ed as autostarted`,
    move: (network) => network.setAutostart(!call.flag('disable')),
  });
};

async function moveEach(call: Call, { failed, done, result, move }: Move): Promise<void> {
  await call.connection();
  await call.each(call.words('network'), async (word) => {
    const network = await call.network(word);
    const { name, uuid } = network;
    await attempt(failed(name), () => move(network, call));
    return () => call.announce(done(name), { name, uuid, result });
  });
}
