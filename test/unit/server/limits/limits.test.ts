/** The limits without a daemon: what each part counts, and when it says no. */
import type { Socket } from 'node:net';
import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { defaultConfig, parseConfig } from '../../../../server/config.js';
import { Connections, type ListenerKind } from '../../../../server/connections.js';
import { Admission } from '../../../../server/limits/admission.js';
import { Allowance } from '../../../../server/limits/allowance.js';
import { parseDescriptors } from '../../../../server/limits/descriptors.js';
import { limitKeys, nameLimit, usualLimits, type Limits } from '../../../../server/limits/limits.js';
import { Messages } from '../../../../server/limits/messages.js';
import { nodeComplaint, nodeFinding } from '../../../../server/limits/node-release.js';

describe('the table [limits]', () => {
  it('has a key for every limit, under the name that errors and metrics use', () => {
    expect(Object.entries(limitKeys).map(([key, [field]]) => [key, nameLimit(field)])).toEqual(Object.keys(limitKeys).map((key) => [key, key]));
    expect(Object.values(limitKeys).map(([field]) => field).sort()).toEqual(Object.keys(usualLimits).sort());
  });

  it('takes every default, and refuses nonsense', () => {
    const text = Object.entries(limitKeys).map(([key, [field]]) => `${key} = ${usualLimits[field]}`).join('\n');
    expect(parseConfig(`[limits]\n${text}`, 'vnetd.toml', defaultConfig('/')).limits).toEqual(usualLimits);
    for (const wrong of ['connections = 0', 'idle_seconds = 0', 'message_bytes = 1.5', 'calls = "many"', 'header_bytes = 1000000']) {
      expect(() => parseConfig(`[limits]\n${wrong}`, 'vnetd.toml', defaultConfig('/')), wrong).toThrow(/limits\.\w+ is .*; it must be/);
    }
  });
});

describe('an allowance', () => {
  it('gives so much at once, and so much a second', () => {
    const allowance = new Allowance(10, 2, 0);
    expect(allowance.take(10, 0)).toBe(true);
    expect(allowance.take(1, 0)).toBe(false);
    // One below nothing: half a second brings back just that.
    expect(allowance.take(1, 500)).toBe(false);
    expect(allowance.take(1, 2000)).toBe(true);
    expect(allowance.take(11, 1e9)).toBe(false);
  });

  it('can be given more, but does not keep more than the most', () => {
    const allowance = new Allowance(3, 0, 0);
    allowance.give(100);
    expect(allowance.take(3, 0)).toBe(true);
    expect(allowance.take(1, 0)).toBe(false);
    allowance.give(2);
    expect(allowance.take(1, 0)).toBe(true);
  });
});

/** Messages with their prefixes. */
function stream(...lengths: number[]): Buffer {
  return Buffer.concat(lengths.map((length) => {
    const message = Buffer.alloc(5 + length);
    message.writeUInt32BE(length, 1);
    return message;
  }));
}

describe('messages', () => {
  it('are found however the bytes are cut', () => {
    for (const size of [1, 3, 4, 5, 6, 7, 100, 10_000]) {
      const messages = new Messages();
      const bytes = stream(0, 1, 0, 20, 3);
      for (let at = 0; at < bytes.length; at += size) expect(messages.take(bytes.subarray(at, at + size))).toBe(true);
      expect({ size, whole: messages.whole, partial: messages.partial }).toEqual({ size, whole: 5, partial: 0 });
    }
  });

  it('T11: may not come in a piece for each byte', () => {
    const messages = new Messages();
    const bytes = stream(1_000_000);
    let pieces = 0;
    while (pieces < bytes.length && messages.take(bytes.subarray(pieces, pieces + 1))) pieces += 1;
    expect(pieces).toBeLessThan(50);
  });

  it('may come in the pieces of a network, and of full windows', () => {
    for (const size of [512, 1448, 16_384]) {
      const messages = new Messages();
      const bytes = stream(2_000_000, 5);
      for (let at = 0; at < bytes.length; at += size) expect(messages.take(bytes.subarray(at, at + size)), `${size} bytes each`).toBe(true);
      expect(messages.whole).toBe(2);
    }
  });

  it('say how much of one has arrived', () => {
    const messages = new Messages();
    messages.take(stream(1000).subarray(0, 300));
    expect(messages.partial).toBe(300);
  });
});

/** Those at the door, with some guests. */
function open(limits: Partial<Limits>, descriptors = Infinity) {
  const connections = new Connections();
  const admission = new Admission({ ...usualLimits, ...limits }, descriptors, 1000);
  const gone: number[] = [];
  const come = (kind: ListenerKind, address?: string, uid?: number) => {
    const refusal = admission.refusal(kind, address);
    if (refusal !== undefined) return refusal;
    const connection = connections.add(kind, Object.assign(new EventEmitter(), { remoteAddress: address }) as unknown as Socket);
    if (uid !== undefined) connection.identity = { kind: 'unix', name: '', unix: { pid: 1, uid, gid: 0, groups: [] } };
    admission.enter(connection, address, () => { gone.push(connection.id); admission.leave(connection); });
    return admission.identify(connection) ?? connection;
  };
  return { admission, come, gone };
}

describe('admission', () => {
  it('T15: keeps places for the read-write socket', () => {
    const { come } = open({ connections: 10, connectionsKept: 4 });
    for (let i = 0; i < 6; i += 1) expect(come('tcp', `10.0.0.${i}`)).toBeTypeOf('object');
    expect(come('tcp', '10.0.0.9')).toBe('connectionsKept');
    expect(come('tls', '10.0.0.9')).toBe('connectionsKept');
    expect(come('unix-readonly')).toBe('connectionsKept');
    for (let i = 0; i < 4; i += 1) expect(come('unix')).toBeTypeOf('object');
    expect(come('unix')).toBe('connections');
  });

  it('T15: lets in no more than there are descriptors', () => {
    const { come, admission } = open({ connections: 1000, connectionsKept: 1 }, 3);
    expect(admission.most).toBe(3);
    for (let i = 0; i < 3; i += 1) expect(come('unix')).toBeTypeOf('object');
    expect(come('unix')).toBe('connections');
  });

  it('T15: counts each address, and forgets who has left', () => {
    const { come, admission } = open({ connectionsPerAddress: 2 });
    const first = come('tcp', '10.0.0.1');
    come('tls', '10.0.0.1');
    expect(come('tcp', '10.0.0.1')).toBe('connectionsPerAddress');
    expect(come('tcp', '10.0.0.2')).toBeTypeOf('object');
    admission.leave(first as never);
    admission.leave(first as never);
    expect(come('tcp', '10.0.0.1')).toBeTypeOf('object');
    expect(come('tcp', '10.0.0.1')).toBe('connectionsPerAddress');
  });

  it('T15: counts each account but root and its own', () => {
    const { come } = open({ connectionsPerUser: 2 });
    expect([come('unix', undefined, 7), come('unix', undefined, 7)]).toEqual([expect.anything(), expect.anything()]);
    expect(come('unix', undefined, 7)).toBe('connectionsPerUser');
    for (const uid of [0, 0, 0, 1000, 1000, 1000, 8]) expect(come('unix', undefined, uid)).toBeTypeOf('object');
  });

  it('T12, T13: lets the oldest stranger of the largest crowd go, never who has made a call', () => {
    const { come, admission, gone } = open({ unauthenticated: 3 });
    const first = come('tcp', '10.0.0.1') as never;
    admission.know(first);
    come('tcp', '10.0.0.9');
    const crowd = [come('tls', '10.0.0.1'), come('tcp', '10.0.0.1')] as { id: number }[];
    expect(admission.strangers).toBe(3);
    come('tcp', '10.0.0.5');
    expect(gone).toEqual([crowd[0]!.id]);
    // By the read-write socket nobody is a stranger.
    for (let i = 0; i < 10; i += 1) come('unix');
    expect(gone).toHaveLength(1);
  });
});

describe('descriptors', () => {
  it('are read as the kernel writes them', () => {
    expect(parseDescriptors('Max processes             1  1 processes\nMax open files            1024                 524288               files     \n')).toBe(1024);
    expect(parseDescriptors('Max open files            unlimited            unlimited            files\n')).toBe(Infinity);
    expect(parseDescriptors('')).toBe(Infinity);
  });
});

describe('a release of Node', () => {
  it('T14: is complained of if it is old and the daemon listens on a network', () => {
    for (const bad of ['v20.20.2', 'v21.0.0', 'v22.23.1', 'v22.9.0', 'v23.11.0', 'v24.18.0', 'v25.0.0', 'v26.5.0', 'v18.0.0']) expect(nodeComplaint(bad), bad).toBeDefined();
    for (const good of ['v22.23.2', 'v22.24.0', 'v24.18.1', 'v24.100.0', 'v26.5.1', 'v27.0.0']) expect(nodeComplaint(good), good).toBeUndefined();
    expect(nodeFinding('v20.20.2', true)).toMatchObject({ severity: 'warning', check: 'node', message: expect.stringContaining('v20.20.2'), advice: expect.stringContaining('24.18.1') });
    expect(nodeFinding('v20.20.2', false)).toMatchObject({ severity: 'ok', check: 'node' });
    expect(nodeFinding('v24.18.1', true)).toMatchObject({ severity: 'ok', check: 'node' });
  });
});
