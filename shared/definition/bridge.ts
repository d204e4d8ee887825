/**
 * Lives here: what a document says of the bridge itself: `<bridge>`, `<mtu>`,
 * `<mac>`, `<port>`. Does not know: addresses, DHCP.
 */
import { ErrorCode } from '../errors.js';
import { attribute, childAttribute, mapped, child } from './codec/fields.js';
import { element, type ElementCodec, type Field } from './codec/element.js';
import { hostMac, isInterfaceName, line, maxUint32, oneOf, Refusal, wholeNumber, yesOrNo, type ValueCodec } from './codec/values.js';
import { describeMode, isManaged, networkMode } from './modes.js';
import type { NetworkDefinition } from './network.js';
import type { NetworkRules } from './rule.js';

export interface Bridge {
  name?: string;
  zone?: string;
  /** On unless false. Meaningful in managed modes. */
  stp: boolean;
  /** Forward delay, in seconds. */
  delay: number;
  macTableManager?: 'kernel' | 'libvirt';
}

/** What a managed network's bridge is where the document says nothing of it. */
export const defaultBridge: Bridge = { stp: true, delay: 0 };

/**
 * The bridge's name, or a template with one `%d` for its number. Unlike
 * libvirt, which finds out when the network is started, a name that the kernel
 * or its tools would not take is refused here.
 */
const bridgeName: ValueCodec<string> = {
  allowed: "an interface name of 1 to 15 letters, digits and _ . -, or such a name with one %d for a number of up to three digits",
  parse: (text) => (isInterfaceName(text.replace('%d', '000')) ? text : new Refusal()),
  format: String,
};

/** libvirt turns STP off for `off` alone. */
const stp: ValueCodec<boolean> = {
  allowed: "'on' or 'off'",
  parse: (text) => text !== 'off',
  format: (value) => (value ? 'on' : 'off'),
};

/** stp and delay mean something in managed modes alone, and are printed there always. */
function bridgeElement(managed: boolean): ElementCodec<Bridge> {
  return element<Bridge>('bridge', {
    name: attribute('name', bridgeName, { emptyIsAbsent: true }),
    zone: attribute('zone', line, { emptyIsAbsent: true }),
    stp: attribute('stp', stp, { emptyIsAbsent: true, fallback: true, printIf: () => managed }),
    delay: attribute('delay', wholeNumber(0, Number.MAX_SAFE_INTEGER), { emptyIsAbsent: true, fallback: 0, printIf: () => managed }),
    macTableManager: attribute('macTableManager', oneOf('kernel', 'libvirt'), { emptyIsAbsent: true }),
  });
}

const ownBridge: Field<Bridge> = child(bridgeElement(true));
const hostBridge: Field<Bridge> = child(bridgeElement(false));

/** `<bridge>`. */
export const bridge: Field<Bridge, NetworkDefinition> = {
  ...ownBridge,
  write: (target, value, network) => {
    if (isManaged(network)) ownBridge.write(target, value ?? defaultBridge, network as never);
    else if (value !== undefined && !saysNothing(value)) hostBridge.write(target, value, network as never);
  },
};

function saysNothing({ name, macTableManager }: Bridge): boolean {
  return name === undefined && macTableManager === undefined;
}

/** The bridge of a network that was read in full: there in managed modes, and gone in others if nothing of it counts. */
export function settleBridge(network: NetworkDefinition): void {
  if (isManaged(network)) network.bridge ??= { ...defaultBridge };
  else if (network.bridge !== undefined && saysNothing(network.bridge)) delete network.bridge;
}

/** `<mtu size>`, where 0 is none. */
export const mtu: Field<number> = mapped(
  childAttribute('mtu', 'size', wholeNumber(0, maxUint32), { emptyIsAbsent: true }), (size) => (size === 0 ? undefined : size), (size) => size);

/** `<mac address>` of the bridge. */
export const mac: Field<string> = childAttribute('mac', 'address', hostMac, { emptyIsAbsent: true });

/** `<port isolated>`: whether guests are kept apart. */
export const port: Field<{ isolated?: boolean }> = child(element<{ isolated?: boolean }>('port', { isolated: attribute('isolated', yesOrNo) }, {
  finish: (part) => (part.isolated === undefined ? undefined : part),
}));

export const bridgeRules: NetworkRules = {
  parser: [
    function bridgeFitsMode(network, report) {
      const { bridge: part, forward } = network;
      if (part === undefined || !report.sound(part) || isManaged(network)) return;
      const refuse = (attributeName: string) =>
        report.problem(ErrorCode.XML_ERROR, part, `not allowed in ${describeMode(network)}`, attributeName);
      if (networkMode(network) !== 'bridge') {
        if (part.name !== undefined) refuse('name');
        if (part.macTableManager !== undefined) refuse('macTableManager');
      } else if (part.name !== undefined && forward !== undefined && (forward.interfaces.length + forward.addresses.length > 0 || forward.pf !== undefined)) {
        report.problem(ErrorCode.XML_ERROR, part, 'a network has a bridge name or forward devices, not both', 'name');
      }
      if (part.zone !== undefined) refuse('zone');
      if (report.writes(part, 'stp')) refuse('stp');
      if (part.delay !== 0) refuse('delay');
    },
    function mtuFitsMode(network, report) {
      if (network.mtu !== undefined && !isManaged(network)) {
        report.childProblem(ErrorCode.XML_ERROR, network, 'mtu', `not allowed in ${describeMode(network)}`);
      }
    },
  ],
  driver: [
    function macFitsMode(network, report) {
      if (network.mac !== undefined && !isManaged(network)) {
        report.childProblem(ErrorCode.CONFIG_UNSUPPORTED, network, 'mac', `not allowed in ${describeMode(network)}`);
      }
    },
  ],
};
