/**
 * Every step by which the driver and its host change what is outside of the
 * process has a point right before it, where the crash test stands: who adds
 * a step elsewhere, or without a point, is told here.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAst } from 'rolldown/parseAst';
import { expect, it } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;

/** What changes something, by the module it comes from. Whatever else these modules have only looks. */
const looks = new Set(['access', 'constants', 'lstat', 'open', 'readdir', 'readFile', 'readFileSync', 'readlink', 'realpath', 'stat', 'watch', 'FSWatcher', 'ChildProcess', 'Socket']);
const modules = new Set(['node:fs', 'node:fs/promises', 'node:child_process', 'node:dgram', 'execa']);

/** The files that may change something. */
const doors = new Set([
  'server/files.ts', 'server/host/sysctl.ts', 'server/host/command.ts', 'server/host/release.ts', 'server/host/port/macvtap.ts', 'server/host/dnsmasq/process.ts',
]);

/** Functions whose step has its point where they are called. */
const pointedByCaller = new Set(['writeFlushed']);

interface Node { type: string; [part: string]: unknown }

async function sources(): Promise<string[]> {
  const found = await Promise.all(['server/driver', 'server/host'].map(async (folder) =>
    (await readdir(join(root, folder), { recursive: true })).filter((name) => name.endsWith('.ts')).map((name) => join(folder, name))));
  return ['server/files.ts', ...found.flat()];
}

function children(node: Node): Node[] {
  return Object.values(node).flat().filter((part): part is Node => typeof part === 'object' && part !== null && typeof (part as Node).type === 'string');
}

/** The name of what is called: `rm`, `process.kill`, `this.socket.send`. */
function nameOf(node: Node): string {
  if (node.type === 'Identifier') return String(node['name']);
  if (node.type === 'MemberExpression') return `${nameOf(node['object'] as Node)}.${nameOf(node['property'] as Node)}`;
  return node.type === 'ThisExpression' ? 'this' : '';
}

/** The steps of a file that have no point before them in their function, or stand in a file that is no door. */
export function unpointed(path: string, text: string): string[] {
  const wrong: string[] = [];
  const program = parseAst(text, { lang: 'ts' }) as unknown as Node;
  const changing = new Set<string>();
  for (const statement of children(program)) {
    const source = statement.type === 'ImportDeclaration' ? String((statement['source'] as { value: string }).value) : '';
    if (!modules.has(source) || statement['importKind'] === 'type') continue;
    for (const specifier of statement['specifiers'] as Node[]) {
      const name = nameOf(specifier['local'] as Node);
      if (!looks.has(name)) changing.add(name);
    }
  }
  /** @param pointed a point stands before, in this function or in one around it */
  const visit = (node: Node, functionName: string, point: { seen: boolean }): void => {
    const isFunction = /Function(Declaration|Expression)$|^ArrowFunctionExpression$/.test(node.type);
    const name = isFunction && node['id'] ? nameOf(node['id'] as Node) : functionName;
    const inside = isFunction ? { ...point } : point;
    for (const child of children(node)) visit(child, name, inside);
    if (node.type !== 'CallExpression') return;
    const called = nameOf(node['callee'] as Node);
    if (called === 'step') inside.seen = true;
    const signals = called === 'process.kill' && (node['arguments'] as Node[])[1]?.['value'] !== 0;
    if ((!changing.has(called) && !signals) || pointedByCaller.has(name)) return;
    if (!doors.has(path) || !inside.seen) wrong.push(`${path}: ${called} in ${name}`);
  };
  visit(program, '', { seen: false });
  return wrong;
}

it('is pointed at', async () => {
  const wrong = (await Promise.all((await sources()).map(async (path) => unpointed(path, await readFile(join(root, path), 'utf8'))))).flat();
  expect(wrong).toEqual([]);
});

it('is missed where it has no point, or stands elsewhere', () => {
  const writes = "import { rm } from 'node:fs/promises';\nexport async function away(path: string) { POINT await rm(path); }";
  expect(unpointed('server/files.ts', writes.replace('POINT', 'step(path);'))).toEqual([]);
  expect(unpointed('server/files.ts', writes.replace('POINT', ''))).toEqual(['server/files.ts: rm in away']);
  expect(unpointed('server/driver/ports.ts', writes.replace('POINT', 'step(path);'))).toEqual(['server/driver/ports.ts: rm in away']);
  expect(unpointed('server/host/turns.ts', 'const end = (pid: number) => process.kill(pid);')).toEqual(['server/host/turns.ts: process.kill in ']);
});
