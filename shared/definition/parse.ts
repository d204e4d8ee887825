/**
 * Lives here: from a document to a definition. Does not know: any element.
 */
import { ErrorCode, NetworkError, type Problem } from '../errors.js';
import { formatName, type ElementCodec } from './codec/element.js';
import { Report } from './codec/report.js';
import { driverRules, network, parserRules, settleNetwork, type NetworkDefinition } from './network.js';
import { applyRules } from './rule.js';
import { readXml } from './xml/read.js';
import type { XmlElement } from './xml/tree.js';

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

/** A document whose root is one element of the format, known to be of the right name but not read yet. */
export interface OpenedPart {
  root: XmlElement;
  report: Report;
}

/**
 * Opens a document whose root must have this name.
 *
 * @throws {NetworkError} XML_DETAIL if it is no XML, XML_ERROR if the root is another
 */
export function openPart(xml: string, name: string): OpenedPart {
  const { root, positions } = readXml(xml);
  const report = new Report(positions);
  if (formatName(root) !== name) {
    report.problemAt(ErrorCode.XML_ERROR, root, `expected element <${name}> at the root, found <${root.name}>`);
    throw report.error();
  }
  return { root, report };
}

/** Reads an opened part. No rule that looks at a whole network applies. @throws {NetworkError} as {@link parseNetwork} */
export function readPart<T extends object>({ root, report }: OpenedPart, codec: ElementCodec<T>): T {
  const part = codec.read(root, report);
  const error = report.error();
  if (error !== undefined) throw error;
  if (part === undefined) throw new NetworkError(ErrorCode.XML_ERROR, `element <${codec.name}> says nothing`);
  return part;
}

/**
 * Reads a document whose root is one element of the format, such as the
 * `<host>` or `<portgroup>` of an update. No rule that looks at a whole network
 * applies.
 *
 * @throws {NetworkError} as {@link parseNetwork}
 */
export function parsePart<T extends object>(xml: string, codec: ElementCodec<T>): T {
  return readPart(openPart(xml, codec.name), codec);
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
