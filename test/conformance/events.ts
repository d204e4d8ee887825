/**
 * Lives here: what every driver must tell of what happens, whoever implements
 * it and however it is reached; a part of the suite. Does not know: which
 * driver it is given.
 */
import { describe, expect, it } from 'vitest';
import { Connection } from '../../client/connection.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { EventKind, type Network, type NetworkDriver, type WatchNetworkEventsRequest, type WatchNetworkEventsResponse } from '../../shared/gen/vnet/v1/network_driver.js';

/** Networks of this part of the suite: 10.77.2NN.0/24. */
const document = (name: string, n: number, uuid = '') => `<network><name>${name}</name>${uuid === '' ? '' : `<uuid>${uuid}</uuid>`}
  <ip address='10.77.${n}.1' netmask='255.255.255.0'/></network>`;

const unknownUuid = '00000000-1111-2222-3333-444444444444';

/** A stream under test: it keeps what came. */
class Stream {
  readonly came: WatchNetworkEventsResponse[] = [];
  readonly ended: Promise<unknown>;
  private readonly end = new AbortController();

  private constructor(driver: NetworkDriver, request: Partial<WatchNetworkEventsRequest>) {
    this.ended = (async () => {
      for await (const event of driver.watchNetworkEvents({ network: undefined, kinds: [], epoch: '', after: 0, ...request }, this.end.signal)) this.came.push(event);
    })().then(() => undefined, (error: unknown) => error);
  }

  /** Opens a stream, and waits for its first message. */
  static async open(driver: NetworkDriver, request: Partial<WatchNetworkEventsRequest> = {}): Promise<Stream> {
    const stream = new Stream(driver, request);
    await Promise.race([stream.until((events) => events.length > 0), stream.ended.then((error) => { if (stream.came.length === 0) throw error; })]);
    return stream;
  }

  /** What came about a network, each with its detail. */
  of(name: string): string[] {
    return this.came.filter(({ network }) => network?.name === name)
      .map(({ kind, detail }) => `${EventKind[kind]}${detail === '' ? '' : ` ${detail}`}`);
  }

  async until(come: (events: WatchNetworkEventsResponse[]) => boolean): Promise<void> {
    await expect.poll(() => come(this.came), { timeout: 5000, interval: 5 }).toBe(true);
  }

  async close(): Promise<NetworkError> {
    this.end.abort();
    return await this.ended as NetworkError;
  }
}

/** Describes what a driver tells. */
export function describeEvents(driverOf: () => NetworkDriver): void {
  describe('events', () => {
    const define = async (xml: string): Promise<Network> => (await driverOf().networkDefineXml({ xml, validate: false })).network!;

    it('tell the life of a network in order, with numbers that have no gaps', async () => {
      const driver = driverOf();
      const stream = await Stream.open(driver);
      const network = await define(document('conf-event', 201));
      await driver.networkSetAutostart({ network, autostart: true });
      await driver.networkSetAutostart({ network, autostart: true });
      await driver.networkCreate({ network });
      await driver.networkSetAutostart({ network, autostart: false });
      await driver.networkDestroy({ network });
      await driver.networkUndefine({ network });
      await stream.until(() => stream.of('conf-event').length >= 6);
      expect(stream.of('conf-event')).toEqual(['DEFINED', 'AUTOSTART_CHANGED on', 'STARTED', 'AUTOSTART_CHANGED off', 'STOPPED', 'UNDEFINED']);
      const [first, ...rest] = stream.came;
      expect(first).toMatchObject({ kind: EventKind.SUBSCRIBED, network: undefined });
      expect(rest.map(({ sequence }) => sequence)).toEqual(rest.map((_, index) => first!.sequence + 1 + index));
      expect(new Set(stream.came.map(({ epoch }) => epoch)).size).toBe(1);
      for (const { timeMs } of stream.came) expect(Math.abs(timeMs - Date.now())).toBeLessThan(60_000);
      expect(await stream.close()).toMatchObject({ code: ErrorCode.OPERATION_ABORTED });
    });

    it('tell what is true already, and nothing of what was refused but that a start failed and why', async () => {
      const driver = driverOf();
      const stream = await Stream.open(driver);
      const network = await define(document('conf-refused', 202));
      await driver.networkCreate({ network });
      const other = await define(document('conf-refused-b', 202));
      const refuse = (call: Promise<unknown>) => expect(call).rejects.toBeInstanceOf(NetworkError);
      await refuse(driver.networkCreate({ network }));
      await refuse(driver.networkCreate({ network: other }));
      await refuse(driver.networkDestroy({ network: other }));
      await refuse(define(document('conf-refused', 203)));
      await driver.networkUndefine({ network });
      await refuse(driver.networkUndefine({ network }));
      await refuse(driver.networkSetAutostart({ network, autostart: true }));
      await driver.networkDestroy({ network });
      await driver.networkUndefine({ network: other });
      await stream.until(() => stream.of('conf-refused').includes('STOPPED') && stream.of('conf-refused-b').includes('UNDEFINED'));
      expect(stream.of('conf-refused')).toEqual(['DEFINED', 'STARTED', 'UNDEFINED', 'STOPPED']);
      expect(stream.of('conf-refused-b')).toEqual(['DEFINED', expect.stringMatching(/^FAILED start: internal error: .*10\.77\.202/), 'UNDEFINED']);
      await stream.close();
    });

    it('are filtered by network and by kind, and a network has to be there', async () => {
      const driver = driverOf();
      const network = await define(document('conf-filter', 204));
      const other = await define(document('conf-filter-b', 205));
      const [ofOne, ofKinds] = [await Stream.open(driver, { network: { name: 'conf-filter', uuid: '' } }), await Stream.open(driver, { kinds: [EventKind.STOPPED, EventKind.UNDEFINED] })];
      for (const each of [other, network]) {
        await driver.networkCreate({ network: each });
        await driver.networkDestroy({ network: each });
        await driver.networkUndefine({ network: each });
      }
      await ofOne.until(() => ofOne.of('conf-filter').includes('UNDEFINED'));
      await ofKinds.until(() => ofKinds.of('conf-filter').includes('UNDEFINED'));
      expect(ofOne.came.slice(1).map((event) => event.network)).toEqual([network, network, network]);
      expect([ofKinds.of('conf-filter'), ofKinds.of('conf-filter-b')]).toEqual([['STOPPED', 'UNDEFINED'], ['STOPPED', 'UNDEFINED']]);
      for (const unknown of [network, { name: 'conf-nothing', uuid: '' }, { name: '', uuid: unknownUuid }]) {
        await expect(Stream.open(driver, { network: unknown })).rejects.toMatchObject({ code: ErrorCode.NO_NETWORK });
      }
      await expect(Stream.open(driver, { network: { name: '', uuid: 'x' } })).rejects.toMatchObject({ code: ErrorCode.INVALID_ARG });
      await Promise.all([ofOne.close(), ofKinds.close()]);
    });

    it('go on where a stream ended, also of a network that is gone since, or ask to read anew', async () => {
      const driver = driverOf();
      const network = await define(document('conf-resume', 206));
      const before = await Stream.open(driver, { network });
      const { epoch, sequence } = before.came[0]!;
      await before.close();
      await driver.networkCreate({ network });
      await driver.networkDestroy({ network });
      await driver.networkUndefine({ network });
      const after = await Stream.open(driver, { network, epoch, after: sequence });
      await after.until(() => after.of('conf-resume').length >= 3);
      expect(after.came[0]).toMatchObject({ kind: EventKind.SUBSCRIBED, epoch, sequence });
      expect(after.of('conf-resume')).toEqual(['STARTED', 'STOPPED', 'UNDEFINED']);
      const elsewhere = await Stream.open(driver, { epoch: unknownUuid, after: 1 });
      expect(elsewhere.came[0]).toMatchObject({ kind: EventKind.RESYNC, epoch });
      const future = await Stream.open(driver, { epoch, after: Number.MAX_SAFE_INTEGER });
      expect(future.came[0]!.kind).toBe(EventKind.RESYNC);
      await Promise.all([after, elsewhere, future].map((stream) => stream.close()));
    });

    it('are told by the object API until its signal ends it', async () => {
      const driver = driverOf();
      const connection = new Connection({ uri: 'x', driver, close: async () => undefined });
      const end = new AbortController();
      const kinds: EventKind[] = [];
      let network: Network | undefined;
      for await (const event of connection.watch({ signal: end.signal })) {
        if (event.kind === EventKind.SUBSCRIBED) network = await define(document('conf-object', 207));
        if (event.network?.uuid !== network?.uuid && event.kind !== EventKind.SUBSCRIBED) continue;
        kinds.push(event.kind);
        if (event.kind === EventKind.DEFINED) await driver.networkUndefine({ network });
        if (event.kind === EventKind.UNDEFINED) end.abort();
      }
      expect(kinds).toEqual([EventKind.SUBSCRIBED, EventKind.DEFINED, EventKind.UNDEFINED]);
    });

    it('of a lease that is not there are none: an address that nobody has cannot be taken back', async () => {
      const driver = driverOf();
      const network = await define(document('conf-release', 208));
      const release = (ipAddress: string) => driver.networkReleaseDhcpLease({ network, ipAddress });
      await expect(release('10.77.208.9')).rejects.toMatchObject({ code: ErrorCode.OPERATION_INVALID, message: expect.stringContaining("'conf-release' is not active") });
      await driver.networkCreate({ network });
      await expect(release('10.77.208.9')).rejects.toMatchObject({ code: ErrorCode.OPERATION_INVALID, message: expect.stringContaining('10.77.208.9') });
      await expect(release('nonsense')).rejects.toMatchObject({ code: ErrorCode.INVALID_ARG, message: expect.stringContaining('nonsense') });
      await driver.networkDestroy({ network });
      await driver.networkUndefine({ network });
      await expect(release('10.77.208.9')).rejects.toMatchObject({ code: ErrorCode.NO_NETWORK });
    });
  });
}
