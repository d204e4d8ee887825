/**
 * Lives here: the last step of the build: the programs `vnet` and `vnetd`, as
 * tsc left them, become a few small files in dist/bin, of which each command
 * reads what it needs. Does not know: what the programs do.
 */
import { chmod, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { build } from 'rolldown';

const root = new URL('..', import.meta.url).pathname;
const folder = join(root, 'dist/bin');

/**
 * What stays outside of `vnet`, and is loaded when it is asked for:
 * proto-loader, which grpc-js wants for servers alone, and yaml; the drivers
 * that can run in this process; and the error class, which these drivers and
 * the program must share.
 */
const outsidePackages = ['@grpc/proto-loader', 'yaml'];
const outsideFiles = [join(root, 'dist/server/'), join(root, 'dist/shared/errors.js')];
const outside = {
  name: 'outside',
  resolveId(source, importer) {
    if (!source.startsWith('.') || importer === undefined) return null;
    const path = resolve(dirname(importer), source);
    return outsideFiles.some((start) => path.startsWith(start)) ? { id: relative(folder, path), external: true } : null;
  },
};

/** What is loaded together stands together: opening a file costs more than reading it. */
const groups = [
  { name: 'program', test: /\/client\/cli\/(main|commands|listing|table)\.js$|\/shared\/uri\.js$/ },
  { name: 'address', test: /\/shared\/address\.js$|\/node_modules\/ipaddr\.js\// },
  { name: 'messages', test: /\/shared\/(gen\/|update-words\.js$)|\/node_modules\/@bufbuild\// },
  { name: 'definition', test: /\/shared\/definition\// },
  { name: 'remote', test: /\/client\/(channel|grpc-rpc)\.js$|\/node_modules\/@grpc\// },
  { name: 'connection', test: /\/client\/(connect|connection)\.js$/ },
];

await rm(folder, { recursive: true, force: true });
const vnet = await bundle('client/cli/vnet.js', { external: outsidePackages, plugins: [outside] }, {
  chunkFileNames: '[name].js',
  codeSplitting: { groups: groups.map((group, i) => ({ ...group, priority: groups.length - i })) },
});
// The packages left out of `vnetd` look for files beside themselves, and are loaded when they are first needed.
const vnetd = await bundle('server/vnetd.js', { external: ['@grpc/proto-loader', '@grpc/reflection', 'grpc-health-check'] }, { chunkFileNames: 'vnetd-[name].js' });
await writeFile(join(folder, 'LICENSES.txt'), await licencesOf([...vnet, ...vnetd]));

/** Makes files of a program. Gives the paths of what went into them. */
async function bundle(program, options, output) {
  const made = await build({
    input: join(root, 'dist', program),
    platform: 'node',
    ...options,
    output: {
      dir: folder,
      format: 'esm',
      comments: { legal: true, annotation: false, jsdoc: false },
      // Names stay: they stand in messages and stacks.
      minify: { compress: true, mangle: { keepNames: true }, codegen: { removeWhitespace: true } },
      ...output,
    },
  });
  await chmod(join(folder, basename(program)), 0o755);
  return made.output.flatMap((file) => Object.keys(file.modules ?? {}));
}

/** The licences of the packages that these files came from. */
async function licencesOf(paths) {
  const packages = new Set(paths.flatMap((path) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []));
  const texts = await Promise.all([...packages].sort().map(async (path) => {
    const { name, version, license } = JSON.parse(await readFile(join(path, 'package.json'), 'utf8'));
    const files = (await readdir(path)).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
    const words = await Promise.all(files.map((file) => readFile(join(path, file), 'utf8')));
    return [`${name} ${version} (${license})`, ...words].join('\n\n');
  }));
  return `The files beside this one contain parts of these packages.\n\n${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}
