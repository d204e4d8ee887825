/**
 * Lives here: `vnet validate`: checks definitions without a daemon. Does not
 * know: what makes a definition right.
 */
import type { Call } from './call.js';
import { readDocument } from './document-file.js';
import { escapeXml } from './escape.js';
import { attempt } from './failure.js';

/** `vnet validate`. */
export async function runValidate(call: Call): Promise<void> {
  const { parseNetwork, formatNetwork } = await import('../../shared/definition/index.js');
  await call.each(call.words('file'), async (file) => {
    const { text, label } = await readDocument(file, call.surroundings.stdin);
    const { definition, warnings } = await attempt(`${label} is not valid`,
      async () => parseNetwork(text, { strict: call.flag('strict') }), { file: label, onlyProblems: true });
    return () => {
      for (const warning of warnings) call.warn(`${label}: ${warning}`);
      const xml = call.flag('print') ? formatNetwork(definition) : undefined;
      const record = { file: label, name: definition.name, warnings, ...(xml === undefined ? {} : { xml }) };
      if (xml === undefined) call.announce(`${label} is valid`, record);
      else call.print(call.surroundings.stdout.isTTY === true ? escapeXml(xml) : xml, record);
    };
  });
}
