/** The definition room: what a network is, and its XML. */
export * from './types.js';
