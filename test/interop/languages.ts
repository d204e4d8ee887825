/**
 * Lives here: how a program in another language is made from the contract
 * alone, with the tools that Debian has for it. Does not know: what the
 * program does.
 */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, parse } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const proto = new URL('../../proto', import.meta.url).pathname;
const contract = ['vnet/v1/network_driver.proto', 'vnet/v1/error.proto'];
/** For languages whose packages do not bring Google's error details. */
const details = ['google/rpc/status.proto', 'google/rpc/error_details.proto'];

/** One language. */
export interface Language {
  name: string;
  /** The ending of its sources. */
  ending: string;
  /** Finds out that its tools are there. Throws if one is not. */
  probe(): Promise<unknown>;
  /** Generates what the contract gives, once. `folder` is empty and stays. */
  generate(folder: string): Promise<void>;
  /** Makes a program of a source in this folder, after `generate`. @returns the words that start it, before its own */
  build(folder: string, source: string): Promise<string[]>;
}

/** Runs protoc on the contract. */
async function generate(argv: string[], files: string[]): Promise<void> {
  await run('protoc', ['-I', proto, ...argv, ...files.map((file) => join(proto, file))]);
}

/** What a source becomes: the same name without its ending. */
function programOf(folder: string, source: string): string {
  return join(folder, parse(source).name);
}

/** Where a plugin of protoc is. @throws Error if it, protoc or the protos that come with it are not installed */
async function plugin(name: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', `command -v protoc >/dev/null && test -e /usr/include/google/protobuf/any.proto && command -v ${name}`]);
  return stdout.trim();
}

/** Debian's packages belong to Debian's own interpreter; another may have them too. */
async function pythonWithGrpc(): Promise<string> {
  for (const interpreter of ['/usr/bin/python3', 'python3']) {
    if (await run(interpreter, ['-c', 'import grpc, google.protobuf']).then(() => true, () => false)) return interpreter;
  }
  throw new Error('python3-grpcio is not installed');
}

const python: Language = {
  name: 'Python', ending: 'py',
  probe: () => Promise.all([pythonWithGrpc(), plugin('grpc_python_plugin')]),
  async generate(folder) {
    await generate([`--python_out=${folder}`, `--grpc_python_out=${folder}`, `--plugin=protoc-gen-grpc_python=${await plugin('grpc_python_plugin')}`], [...contract, ...details]);
  },
  build: async (folder, source) => ['env', `PYTHONPATH=${folder}`, 'PYTHONDONTWRITEBYTECODE=1', await pythonWithGrpc(), source],
};

const ruby: Language = {
  name: 'Ruby', ending: 'rb',
  probe: () => Promise.all([run('ruby', ['-e', 'require "grpc"; require "google/rpc/error_details_pb"']), plugin('grpc_ruby_plugin')]),
  generate: async (folder) => generate([`--ruby_out=${folder}`, `--grpc_out=${folder}`, `--plugin=protoc-gen-grpc=${await plugin('grpc_ruby_plugin')}`], contract),
  build: async (folder, source) => ['ruby', '-I', folder, source],
};

/** Debian's Go packages are a GOPATH; the generated package is another. */
const go: Language = {
  name: 'Go', ending: 'go',
  probe: () => Promise.all([
    run('go', ['list', 'google.golang.org/grpc', 'google.golang.org/genproto/googleapis/rpc/errdetails', 'google.golang.org/protobuf/proto'], { env: goEnvironment() }),
    plugin('protoc-gen-go'), plugin('protoc-gen-go-grpc'),
  ]),
  async generate(folder) {
    const packages = contract.map((file) => `M${file}=vnet/v1`).join(',');
    await mkdir(join(folder, 'src'));
    await generate([`--go_out=${packages}:${folder}/src`, `--go-grpc_out=${packages}:${folder}/src`], contract);
  },
  async build(folder, source) {
    const program = programOf(folder, source);
    await run('go', ['build', '-o', program, source], { env: goEnvironment(folder) });
    return [program];
  },
};

/** What was compiled once is kept where Go keeps it for everybody, if this caller has a home. */
function goEnvironment(folder?: string): NodeJS.ProcessEnv {
  const debian = '/usr/share/gocode';
  const cache = process.env['HOME'] === undefined ? { GOCACHE: join(folder ?? tmpdir(), 'go-cache') } : {};
  return { ...process.env, GO111MODULE: 'off', GOFLAGS: '', GOPATH: folder === undefined ? debian : `${folder}:${debian}`, ...cache };
}

const cplusplus: Language = {
  name: 'C++', ending: 'cc',
  probe: () => Promise.all([run('sh', ['-c', 'command -v g++ && pkg-config --exists grpc++ protobuf']), plugin('grpc_cpp_plugin')]),
  async generate(folder) {
    await generate([`--cpp_out=${folder}`], [...contract, ...details]);
    await generate([`--grpc_out=${folder}`, `--plugin=protoc-gen-grpc=${await plugin('grpc_cpp_plugin')}`], contract.slice(0, 1));
  },
  async build(folder, source) {
    const compile = async (name: string, ...argv: string[]): Promise<string> => {
      await run('g++', ['-std=c++17', '-O0', `-I${folder}`, '-c', ...argv, '-o', join(folder, name)]);
      return join(folder, name);
    };
    // The large files in one go with the source: their headers are most of the work.
    const driver = ['pb', 'grpc.pb'].flatMap((kind) => ['-include', join(folder, `vnet/v1/network_driver.${kind}.cc`)]);
    const objects = [await compile('source.o', ...driver, source)];
    for (const file of ['vnet/v1/error', ...details.map((path) => path.replace('.proto', ''))]) {
      objects.push(await compile(`${basename(file)}.o`, join(folder, `${file}.pb.cc`)));
    }
    const program = programOf(folder, source);
    const { stdout } = await run('pkg-config', ['--libs', 'grpc++', 'protobuf']);
    await run('g++', [...objects, '-o', program, ...stdout.trim().split(/\s+/)]);
    return [program];
  },
};

/** Every language that is tried. */
export const languages: readonly Language[] = [python, ruby, go, cplusplus];
