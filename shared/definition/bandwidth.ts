/**
 * Lives here: `<bandwidth>`: how much guests may send and receive. Does not
 * know: where it stands (a network, a port group, a port).
 */
import { ErrorCode } from '../errors.js';
import { attribute, child, mapped } from './codec/fields.js';
import { element, type Field } from './codec/element.js';
import type { Report } from './codec/report.js';
import { maxUint32, Refusal, wholeNumber, type ValueCodec } from './codec/values.js';
import { describeMode, isManaged, usesHostBridge } from './modes.js';
import type { NetworkRules } from './rule.js';

/** Numbers in kilobytes (1000 bytes) per second, burst in KiB. */
export interface BandwidthDirection {
  average?: number;
  peak?: number;
  floor?: number;
  burst?: number;
}

export interface Bandwidth {
  /** Ports only. */
  classId?: number;
  inbound?: BandwidthDirection;
  outbound?: BandwidthDirection;
}

/** The largest number that C's unsigned long long and a JavaScript number can both hold. */
const highestReadable = 2 ** 64 - 2048;

/** tc counts bytes in 64 bits and burst in 32; more than fits is OVERFLOW, as libvirt has it. */
const highestRate = Number.MAX_SAFE_INTEGER;
const highestBurst = 2 ** 22 - 1;

function limited(highest: number): ValueCodec<number> {
  const any = wholeNumber(0, highestReadable);
  return {
    ...any,
    allowed: `a whole number from 0 to ${highest}`,
    parse: (text) => {
      const value = any.parse(text);
      return typeof value === 'number' && value > highest ? new Refusal('which is more than tc can count', ErrorCode.OVERFLOW) : value;
    },
  };
}

/** A number whose 0 is not printed, and so is kept as absent. */
function rate(name: string, highest: number): Field<number> {
  return mapped(attribute(name, limited(highest)), (value) => value, (value) => value || undefined);
}

function direction(name: 'inbound' | 'outbound') {
  return element<BandwidthDirection>(name, {
    average: rate('average', highestRate),
    peak: rate('peak', highestRate),
    floor: rate('floor', highestRate),
    burst: rate('burst', highestBurst),
  }, {
    rules: [name === 'outbound' ? refuseFloor : () => undefined, needsAverage],
    finish: withoutZeros,
  });
}

function refuseFloor(part: BandwidthDirection, report: Report): void {
  if (part.floor !== undefined) report.problem(ErrorCode.CONFIG_UNSUPPORTED, part, "'floor' is for <inbound> of a port alone", 'floor');
}

function needsAverage(part: BandwidthDirection, report: Report): void {
  if (part.average !== undefined) return;
  if (part.floor === undefined) report.problem(ErrorCode.XML_DETAIL, part, "attribute 'average' is missing");
  else if (part.peak !== undefined || part.burst !== undefined) {
    report.problem(ErrorCode.CONFIG_UNSUPPORTED, part, "'peak' and 'burst' need 'average'");
  }
}

/** What libvirt prints of a direction: nothing if it limits nothing. */
function withoutZeros(part: BandwidthDirection): BandwidthDirection | undefined {
  const kept = Object.entries(part).filter(([, value]) => value !== 0);
  return (part.average ?? 0) === 0 && (part.floor ?? 0) === 0 ? undefined : Object.fromEntries(kept);
}

/** `<bandwidth>`. */
export const bandwidthElement = element<Bandwidth>('bandwidth', {
  classId: attribute('classID', wholeNumber(0, maxUint32), { invalid: ErrorCode.XML_DETAIL }),
  inbound: child(direction('inbound')),
  outbound: child(direction('outbound')),
}, {
  rules: [(part, report) => {
    for (const name of ['inbound', 'outbound']) {
      const second = report.elementsIn(part, name)[1];
      if (second !== undefined) report.problemAt(ErrorCode.XML_DETAIL, second, 'only one element of this name is allowed');
    }
  }],
  finish: (part) => (Object.keys(part).length === 0 ? undefined : part),
  open: true,
});

/** `<bandwidth>` of a network or a port group: what is for ports alone is refused. */
export const sharedBandwidth: Field<Bandwidth> = child({
  ...bandwidthElement,
  read: (source, report) => {
    const part = bandwidthElement.read(source, report);
    if (part?.classId !== undefined) report.problem(ErrorCode.XML_DETAIL, part, "'classID' is for ports alone", 'classID');
    if (part?.inbound?.floor !== undefined) {
      report.problem(ErrorCode.CONFIG_UNSUPPORTED, part.inbound, "'floor' is for interfaces and ports alone, not for a network or a port group", 'floor');
    }
    return part;
  },
});

export const bandwidthRules: NetworkRules = {
  driver: [
    function bandwidthFitsMode(network, report) {
      if (isManaged(network) || usesHostBridge(network)) return;
      for (const part of [network.bandwidth, ...network.portGroups.map((group) => group.bandwidth)]) {
        if (part !== undefined) report.problem(ErrorCode.CONFIG_UNSUPPORTED, part, `not allowed in ${describeMode(network)} without a bridge name`);
      }
    },
  ],
};
