/** From words to a command, with virsh's words where they mean nothing. */
import { describe, expect, it } from 'vitest';
import { formatOf, parseCommandLine } from '../../../client/cli/parse.js';
import { UsageError } from '../../../client/cli/failure.js';
import { nearest } from '../../../client/cli/suggest.js';

const parse = (line: string) => {
  const { command, words, options } = parseCommandLine(line === '' ? [] : line.split(' '));
  return { command: command?.name, words: Object.fromEntries(words), options: Object.fromEntries(options) };
};

describe('a command line', () => {
  it.each([
    ['start lab', { command: 'start', words: { network: ['lab'] }, options: {} }],
    ['net-start lab other', { command: 'start', words: { network: ['lab', 'other'] }, options: {} }],
    ['net-start --network lab', { command: 'start', words: { network: ['lab'] }, options: {} }],
    ['stop lab', { command: 'destroy', words: { network: ['lab'] }, options: {} }],
    ['-c test:///default -q list --all', { command: 'list', words: {}, options: { connect: 'test:///default', quiet: true, all: true } }],
    ['list -qctest:///default --output=json', { command: 'list', words: {}, options: { connect: 'test:///default', quiet: true, output: 'json' } }],
    ['define -', { command: 'define', words: { file: ['-'] }, options: {} }],
    ['define --file lab.xml --validate', { command: 'define', words: { file: ['lab.xml'] }, options: { validate: true } }],
    ['start -- -odd', { command: 'start', words: { network: ['-odd'] }, options: {} }],
    ['net-dhcp-leases lab --mac 52:54:00:00:00:01', { command: 'net-dhcp-leases', words: { network: ['lab'] }, options: { mac: '52:54:00:00:00:01' } }],
    ['start --help', { command: 'start', words: {}, options: { help: true } }],
    ['-V', { command: undefined, words: {}, options: { version: true } }],
    ['', { command: undefined, words: {}, options: {} }],
  ])('%s', (line, meaning) => {
    expect(parse(line)).toEqual(meaning);
  });

  it.each([
    ['nocmd', "unknown command: 'nocmd'", 'vnet --help lists the commands'],
    ['strat lab', "unknown command: 'strat'", "did you mean 'start'?"],
    ['net-strat lab', "unknown command: 'net-strat'", expect.stringContaining("'net-start'")],
    ['net-start', "command 'net-start' requires <network> option", 'vnet help net-start'],
    ['net-info a b', "unexpected data 'b'", 'vnet help net-info'],
    ['net-list extra', "unexpected data 'extra'", 'vnet help net-list'],
    ['net-start --foo default', "command 'net-start' doesn't support option --foo", undefined],
    ['net-list --al', "command 'net-list' doesn't support option --al", "did you mean '--all'?"],
    ['net-start --network', 'expected syntax: --network <string>', undefined],
    ['--bogus', "unsupported option '--bogus'", undefined],
    ['list --all=yes', 'option --all takes no value', undefined],
    ['list -o jsno', "-o cannot be 'jsno'", "did you mean 'json'?"],
  ])('%s is refused', (line, message, hint) => {
    const attempt = () => parse(line);
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(expect.objectContaining({ message, hint }));
  });

  it('knows the format even of a line that makes no sense', () => {
    expect(formatOf(['-o', 'json', 'nocmd', '--bogus'])).toBe('json');
    expect(formatOf(['nocmd'])).toBe('table');
  });
});

it('guesses by letters put in, left out, changed and swapped', () => {
  const names = ['default', 'private', 'lab', 'lab-2'];
  expect(['defualt', 'defaul', 'privte', 'lba', 'la', 'zzz'].map((word) => nearest(word, names)))
    .toEqual([['default'], ['default'], ['private'], ['lab'], ['lab', 'lab-2'], []]);
});
