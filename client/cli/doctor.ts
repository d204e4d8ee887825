/**
 * Lives here: `vnet doctor`. Does not know: any check of a host; where no
 * daemon answers, `nobody-answers.ts` looks at what can be seen from here.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { Diagnosis } from '../diagnosis.js';
import type { Call } from './call.js';
import { attempt, Exit, Failure } from './failure.js';
import type { OutputRecord } from './output.js';
import { renderTable } from './table.js';

const heading = ['Severity', 'Check', 'Where', 'Finding'];

/** `vnet doctor [NETWORK]`. Ends with 1 if anything is an error. */
export async function runDoctor(call: Call): Promise<void> {
  const findings = await findingsOf(call);
  for (const finding of findings) call.print('', recordOf(finding));
  call.print(renderTable(heading, findings.flatMap(rowsOf), { quiet: call.quiet }));
  // Said above; nothing more is to be reported.
  if (findings.some(({ severity }) => severity === 'error')) throw new Failure('', { exit: Exit.FAILED });
}

async function findingsOf(call: Call): Promise<Diagnosis[]> {
  const { examineWorking, explainSilence } = await import('./nobody-answers.js');
  let connection;
  try {
    connection = await call.connection();
  } catch (error) {
    return explainSilence(call.uri, call.flag('readonly'), error);
  }
  const name = call.word('network');
  const patient = name === '' ? connection : await call.network(name);
  return [...await attempt('Failed to diagnose', () => patient.diagnose().catch(explainRefusal)), ...await examineWorking(call.uri)];
}

/** A daemon that answers but does not let this caller ask: then the connection is what there is to say something about. */
function explainRefusal(error: unknown): Diagnosis[] {
  if (!(error instanceof NetworkError) || ![ErrorCode.ACCESS_DENIED, ErrorCode.AUTH_FAILED, ErrorCode.OPERATION_DENIED].includes(error.code)) throw error;
  return [{ severity: 'error', check: 'rights', message: `the daemon answers, and does not let this caller diagnose: ${error.message}`, advice: error.hint ?? 'ask whoever runs it for the right to read' }];
}

/** What to do stands below what was found. */
function rowsOf({ severity, check, network, message, advice }: Diagnosis): string[][] {
  const first = [severity, check, network?.name ?? 'host', message];
  return advice === undefined ? [first] : [first, ['', '', '', `try: ${advice}`]];
}

/** A finding as programs see it. The fields and their meaning are documented in the manual page: they stay. */
function recordOf({ severity, check, network, message, advice }: Diagnosis): OutputRecord {
  return { severity, check, network: network?.name ?? null, uuid: network?.uuid ?? null, message, advice: advice ?? null };
}
