/**
 * Lives here: from a document to a definition. Does not know: any element.
 */
import { ErrorCode, NetworkError, type Problem } from '../errors.js';
import { formatName, type ElementCodec } from './codec/element.js';
import { Report } from './codec/report.js';
import { driverRules, network, parserRules, settleNetwork, type NetworkDefinition } from './network.js';
import { applyRules } from './rule.js';
import { readXml } from './xml/read.js';

/** How strictly a document is read. */
export interface ParseOptions {
  /** What the format does not know is an error, as with libvirt's schema, and not left out. */
  strict?: boolean;
  /** Also apply the driver's rules; true unless given. A saved file or an update is read without. */
  validate?: boolean;
}

/** A document's definition. */
export interface ParsedNetwork {
  definition: NetworkDefinition;
  /** What was left out because the format does not know it, each with its line and column. */
  warnings: string[];
}

/**
 * Reads a network document. Nothing is made up: what the document leaves to
 * vnet (uuid, mac, bridge name) stays absent.
 *
 * @throws {NetworkError} with the code that libvirt would give for the first
 * problem, and with every problem of the document in `problems`
 */
export function parseNetwork(xml: string, options: ParseOptions = {}): ParsedNetwork {
  const { root, positions } = readXml(xml);
  const report = new Report(positions, options.strict ?? false);
  if (root.local !== network.name) {
    report.problemAt(ErrorCode.XML_ERROR, root, `expected element <${network.name}> at the root, found <${root.name}>`);
    throw report.error();
  }
  const definition = network.read(root, report) as NetworkDefinition;
  applyRules(parserRules, definition, report);
  if (options.validate ?? true) applyRules(driverRules, definition, report);
  const error = report.error();
  if (error !== undefined) throw error;
  settleNetwork(definition);
  return { definition, warnings: report.warnings };
}

/**
 * Reads a document whose root is one element of the format, such as the
 * `<host>` or `<portgroup>` of an update. No rule that looks at a whole network
 * applies.
 *
 * @throws {NetworkError} as {@link parseNetwork}
 */
export function parsePart<T extends object>(xml: string, codec: ElementCodec<T>): T {
  const { root, positions } = readXml(xml);
  const report = new Report(positions);
  if (formatName(root) !== codec.name) {
    report.problemAt(ErrorCode.XML_ERROR, root, `expected element <${codec.name}> at the root, found <${root.name}>`);
  }
  const part = report.count === 0 ? codec.read(root, report) : undefined;
  const error = report.error();
  if (error !== undefined) throw error;
  if (part === undefined) throw new NetworkError(ErrorCode.XML_ERROR, `element <${codec.name}> says nothing`);
  return part;
}

/**
 * Checks a definition that has no document by every rule of both stages, as if
 * its document had come in. Lines and columns are 0.
 */
export function validateNetwork(definition: NetworkDefinition): Problem[] {
  const report = new Report();
  const copy = network.read(network.write(definition), report) as NetworkDefinition;
  applyRules([...parserRules, ...driverRules], copy, report);
  return report.problems;
}
