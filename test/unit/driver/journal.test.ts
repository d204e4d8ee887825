/** The journal: whatever is written and read in whatever order, a watcher gets every event or is told that it did not. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Journal, type Interest, type NetworkEvent } from '../../../server/driver/events.js';
import { ErrorCode } from '../../../shared/errors.js';
import { EventKind } from '../../../shared/gen/vnet/v1/network_driver.js';

const { SUBSCRIBED, RESYNC, STARTED, STOPPED } = EventKind;
const a = { name: 'a', uuid: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a00a' };
const b = { name: 'b', uuid: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a00b' };
const all: Interest = { kinds: [], epoch: '', after: 0 };

/** The next event of a watcher; undefined if it has none yet. */
class Reader {
  private waiting: Promise<NetworkEvent | undefined> | undefined;
  readonly events: AsyncGenerator<NetworkEvent, void, undefined>;
  constructor(journal: Journal, interest: Partial<Interest> = {}, signal?: AbortSignal) {
    this.events = journal.watch({ ...all, ...interest }, signal);
  }
  async read(): Promise<NetworkEvent | undefined> {
    this.waiting ??= this.events.next().then(({ value }) => value ?? undefined);
    const found = await Promise.race([this.waiting, new Promise<undefined>((resolve) => setImmediate(resolve, undefined))]);
    if (found !== undefined) this.waiting = undefined;
    return found;
  }
}

const brief = (event: NetworkEvent | undefined) => event && [event.kind, event.sequence];

describe('a watcher', () => {
  it('is told from when on, and then everything, as it happens', async () => {
    const journal = new Journal();
    journal.record(STARTED, a);
    const reader = new Reader(journal);
    expect(brief(await reader.read())).toEqual([SUBSCRIBED, 1]);
    expect(await reader.read()).toBeUndefined();
    journal.record(STOPPED, a, { detail: 'x' });
    journal.record(STARTED, b);
    expect(await reader.read()).toEqual({
      epoch: journal.epoch, sequence: 2, timeMs: expect.any(Number), kind: STOPPED, network: a, lease: undefined, port: undefined, detail: 'x',
    });
    expect(brief(await reader.read())).toEqual([STARTED, 3]);
  });

  it('hears only of the network and the kinds that it asked for', async () => {
    const journal = new Journal();
    const reader = new Reader(journal, { network: b.uuid, kinds: [STOPPED] });
    await reader.read();
    for (const network of [a, b]) for (const kind of [STARTED, STOPPED]) journal.record(kind, network);
    expect(brief(await reader.read())).toEqual([STOPPED, 4]);
    expect(await reader.read()).toBeUndefined();
  });

  it('goes on where it ended, and is told to resync where that is not kept, not yet or of another epoch', async () => {
    const journal = new Journal({ kept: 4 });
    for (let i = 0; i < 10; i += 1) journal.record(STARTED, a);
    const first = async (after: number, epoch: string = journal.epoch) => {
      const reader = new Reader(journal, { epoch, after });
      return [brief(await reader.read()), brief(await reader.read())];
    };
    expect(await first(6)).toEqual([[SUBSCRIBED, 6], [STARTED, 7]]);
    expect(await first(10)).toEqual([[SUBSCRIBED, 10], undefined]);
    expect(await first(5)).toEqual([[RESYNC, 10], undefined]);
    expect(await first(11)).toEqual([[RESYNC, 10], undefined]);
    expect(await first(6, 'another')).toEqual([[RESYNC, 10], undefined]);
  });

  it('that is overtaken is told, and hears what follows', async () => {
    const journal = new Journal({ kept: 4 });
    const reader = new Reader(journal);
    await reader.read();
    for (let i = 0; i < 5; i += 1) journal.record(STARTED, a);
    expect(brief(await reader.read())).toEqual([RESYNC, 5]);
    journal.record(STOPPED, a);
    expect(brief(await reader.read())).toEqual([STOPPED, 6]);
  });

  it('that waits for what does not come is not overtaken', async () => {
    const journal = new Journal({ kept: 4 });
    const reader = new Reader(journal, { kinds: [STOPPED] });
    await reader.read();
    expect(await reader.read()).toBeUndefined();
    for (let i = 0; i < 50; i += 1) journal.record(STARTED, a);
    journal.record(STOPPED, a);
    expect(brief(await reader.read())).toEqual([STOPPED, 51]);
  });

  it('is ended by its signal and by leaving, and makes room for another', async () => {
    const journal = new Journal({ watchers: 2 });
    const end = new AbortController();
    const [first, second] = [new Reader(journal, {}, end.signal), new Reader(journal)];
    await Promise.all([first.read(), second.read()]);
    await expect(new Reader(journal).read()).rejects.toMatchObject({ code: ErrorCode.RESOURCE_BUSY, message: expect.stringContaining('2 watch events already') });
    const waiting = first.read();
    expect(await waiting).toBeUndefined();
    end.abort();
    await expect(first.read()).rejects.toMatchObject({ code: ErrorCode.OPERATION_ABORTED });
    expect(brief(await new Reader(journal).read())).toEqual([SUBSCRIBED, 0]);
    await second.events.return();
    expect(brief(await new Reader(journal).read())).toEqual([SUBSCRIBED, 0]);
  });
});

/** One step of a random run: something is written, a reader reads a few, breaks off and comes back. */
const step = fc.oneof(
  fc.record({ do: fc.constant('write' as const), count: fc.integer({ min: 1, max: 7 }) }),
  fc.record({ do: fc.constant('read' as const), reader: fc.nat(3), count: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ do: fc.constant('resume' as const), reader: fc.nat(3) }),
);

it('in whatever order is written, read and resumed, nobody misses an event without being told', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 8 }), async (steps, kept) => {
    const journal = new Journal({ kept });
    const written: EventKind[] = [];
    // One of the readers wants only some.
    const interests = [{}, {}, {}, { kinds: [STOPPED] }];
    const readers = interests.map((interest) => ({ interest, reader: new Reader(journal, interest), known: 0, told: false }));
    const take = async (one: (typeof readers)[number]): Promise<boolean> => {
      const event = await one.reader.read();
      if (event === undefined) return false;
      if (event.kind === RESYNC) {
        expect(event.sequence).toBeGreaterThanOrEqual(one.known);
      } else if (event.kind === SUBSCRIBED) {
        expect(event.sequence).toBe(one.told ? one.known : event.sequence);
      } else {
        expect(event.kind).toBe(written[event.sequence - 1]);
        const missed = written.slice(one.known, event.sequence - 1).filter((kind) => !('kinds' in one.interest) || kind === STOPPED);
        expect(missed).toEqual([]);
      }
      one.known = event.sequence;
      one.told = true;
      return true;
    };
    for (const one of steps) {
      if (one.do === 'write') {
        for (let i = 0; i < one.count; i += 1) {
          written.push(written.length % 3 === 0 ? STOPPED : STARTED);
          journal.record(written.at(-1)!, a);
        }
      } else {
        const chosen = readers[one.reader]!;
        if (one.do === 'read') for (let i = 0; i < one.count; i += 1) await take(chosen);
        else if (chosen.told) chosen.reader = new Reader(journal, { ...chosen.interest, epoch: journal.epoch, after: chosen.known });
      }
    }
    for (const one of readers) {
      while (await take(one));
      const rest = written.slice(one.known).filter((kind) => !('kinds' in one.interest) || kind === STOPPED);
      expect(rest).toEqual([]);
    }
  }), { numRuns: 300 });
});
