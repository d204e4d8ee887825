/**
 * Lives here: the words for changes of one part of a network, at libvirt's
 * numbers. Does not know: what a change does.
 */

/** What is done with a part. */
export const updateCommands = ['none', 'modify', 'delete', 'add-last', 'add-first'] as const;
/** One of them. */
export type UpdateCommandWord = typeof updateCommands[number];

/** Which part. */
export const updateSections = [
  'none', 'bridge', 'domain', 'ip', 'ip-dhcp-host', 'ip-dhcp-range', 'forward', 'forward-interface', 'forward-pf', 'portgroup',
  'dns-host', 'dns-txt', 'dns-srv',
] as const;
/** One of them. */
export type UpdateSectionWord = typeof updateSections[number];
