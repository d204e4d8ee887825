/**
 * Lives here: the defences against who does, sees or hides what it may not, T20
 * to T22, T25 and T34. Does not know: how a test is run.
 */
import { defence, type Defence } from './defence.js';

const guard = 'server/access/guard.ts';
const events = 'server/access/guarded-events.ts';
const audit = 'server/access/audit.ts';
const escape = 'client/cli/escape.ts';

const guarded = 'test/unit/access/guard.test.ts';
const audited = 'test/unit/access/audit.test.ts';
const escaped = 'test/unit/cli/escape.test.ts';
const matrix = ['test/unit/access/matrix.test.ts', 'T20: calls'] as const;
const model = ['test/unit/access/property.test.ts', 'T21: a call is refused or not as the model says'] as const;
const lists = ['test/unit/access/property.test.ts', 'T21: lists, counts, events and the doctor'] as const;
const clash = [guarded, 'T21: is not named by an error or an event'] as const;

export const ofRights: readonly Defence[] = [
  defence('T20', 'the read-only socket changes nothing',
    ['server/access/readonly.ts', 'if (connection.readonly && changes(procedure)) {', "if (connection.readonly && procedure.name === '' && changes(procedure)) {"], matrix),
  defence('T20', 'what is not marked as reading changes something',
    ['shared/procedures.ts', "return procedure.options.idempotencyLevel !== 'NO_SIDE_EFFECTS';", "return procedure.options.idempotencyLevel === 'IDEMPOTENT';"],
    ['test/interop/daemon.test.ts', 'T20: refuses every changing call']),
  defence('T20', 'who may do something nowhere may not do it',
    ['server/access/access.ts', 'if (permission !== undefined) throw denied({ procedure: name, permission, who: call.identity.name });', ''], matrix),
  defence('T20', 'who may define no such network does not',
    [guard, 'if (network !== undefined && permission !== undefined) throw this.#denied(key, permission, network.name);', ''], matrix),

  defence('T21', 'who may not do it there may not do it',
    [guard, '    const permission = this.rights.missing(needs, found.name);\n    if (permission !== undefined) throw this.#denied(key, permission, found.name);\n', ''], model),
  defence('T21', 'a hidden network is not there', [guard, 'if (!this.rights.sees(found.name)) throw hide(handle, found);', ''], model),
  defence('T21', 'no list has it', [guard, "networks.filter(({ network }) => guard.shows('listAllNetworks', network?.name ?? ''))", 'networks'], lists),
  defence('T21', 'no count counts it', [guard, 'return found.filter((name) => guard.shows(key, name));', 'return found;'], lists),
  defence('T21', 'no event is about it', [events, "if (!guard.shows('watchNetworkEvents', name) || ", 'if ('], lists),
  defence('T21', 'no event of another names it',
    [events, "return event.detail !== '' && mentions(event.detail, guard.hidden()) ?", "return event.detail === '' && mentions(event.detail, guard.hidden()) ?"], clash),
  defence('T21', 'no error names it', [guard, 'throw withoutMention(error, [...before, ...this.hidden()]);', 'throw error;'], clash),
  defence('T21', 'a stream goes on by the rights of the moment',
    [events, "      guard.check('watchNetworkEvents');\n      if (guard.rights.everything", '      if (guard.rights.everything'],
    [guarded, 'T21: hold for the next event of a stream']),

  defence('T22', 'nothing comes between decision and deed',
    [guard, 'return this.call(key, decided as Request<K>, signal);',
      'await new Promise((resolve) => { setImmediate(resolve); });\n      return this.call(key, decided as Request<K>, signal);'],
    [guarded, 'T22: a UUID that passes to another network']),

  defence('T25', 'a record is a line of plain text',
    [audit, 'return JSON.stringify(record, short).replace(/[^\\x20-\\x7e]/g,', 'return JSON.stringify(record, short).replace(/\\0/g,'], [audited, 'T25: is one line of plain ASCII']),
  defence('T25', 'what is printed acts on no terminal',
    [escape, "return text.replace(escapeMark, '\\\\x5c').replace(unprintable, bytes);", 'return text;'],
    ['test/unit/cli/commands.test.ts', 'T25: escapes what a name does to a terminal']),
  defence('T25', 'nor does JSON', [escape, 'return json.replace(unprintableButNewline, (character) =>', 'return json.replace(/\\0/g, (character) =>'],
    [escaped, 'T25: JSON, YAML and XML mean the same']),
  defence('T25', 'a later line passes for none of ours',
    [escape, "replace(unprintableButNewline, bytes).replaceAll('\\n', '\\n  ');", 'replace(unprintableButNewline, bytes);'], [escaped, 'T25: a text keeps its lines']),

  defence('T34', 'a change is on record before it is made',
    [audit, "const failure = this.#write('intent', call, network, call.procedure.service === 'Admin' ? { asked: request } : {});", 'const failure = undefined as Error | undefined;'],
    [audited, 'T34: of every procedure has two']),
  defence('T34', 'and after it', [audit, 'if (!refused && !this.#begun.has(call)) return;', 'if (!refused) return;'], [audited, 'T34: has a record before and one after']),
  defence('T34', 'it is not made without',
    [audit, 'if (failure === undefined || !this.#options.required) return;', 'return;'], [audited, 'T34: that is full keeps changing calls from being done']),
  defence('T34', 'a record is written at once',
    [audit, '      lines.write(line);\n    } catch', '      setTimeout(() => lines.write(line), 100);\n    } catch'],
    ['test/interop/access.test.ts', 'T34: what is about to be done is on record']),
];
