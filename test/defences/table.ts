/**
 * Lives here: every defence that is taken out, and the threats that come by the
 * wire. Does not know: how a test is run.
 */
import type { Defence } from './defence.js';
import { ofDocuments } from './documents.js';
import { ofIdentity } from './identity.js';
import { ofLimits } from './limits.js';
import { ofLoad } from './load.js';
import { ofRights } from './rights.js';

/** The threats that come by the wire: each has a defence here. */
export const wireRows = [
  'T1', 'T2', 'T3', 'T4', 'T5', 'T6', 'T7', 'T8', 'T9', 'T10', 'T11', 'T12', 'T13', 'T14', 'T15', 'T16', 'T17', 'T18', 'T19', 'T20', 'T21', 'T22', 'T23', 'T24', 'T25', 'T34',
] as const;

/** All of them. */
export const defences: readonly Defence[] = [...ofDocuments, ...ofLimits, ...ofLoad, ...ofIdentity, ...ofRights];
