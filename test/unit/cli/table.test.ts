/** Tables as virsh prints them. */
import { expect, it } from 'vitest';
import { renderField, renderTable } from '../../../client/cli/table.js';

const heading = ['Name', 'State', 'Autostart', 'Persistent'];

it('has a space before each cell, two after it, and a rule as wide as all', () => {
  expect(renderTable(heading, [['default', 'inactive', 'no', 'yes']])).toBe([
    ' Name      State      Autostart   Persistent',
    '----------------------------------------------',
    ' default   inactive   no          yes', '',
  ].join('\n'));
});

it('without rows is heading and rule', () => {
  expect(renderTable(heading, [])).toBe(' Name   State   Autostart   Persistent\n----------------------------------------\n');
});

it('when quiet is only rows, and only as wide as they are', () => {
  expect(renderTable(heading, [['default', 'active', 'no', 'yes']], { quiet: true })).toBe(' default   active   no   yes\n');
  expect(renderTable(heading, [], { quiet: true })).toBe('');
});

it('counts columns, not characters', () => {
  expect(renderTable(['Name', 'State'], [['東京', 'active'], ['e\u0301e', 'x']])).toBe(' Name   State\n----------------\n 東京   active\n e\u0301e     x\n');
});

it('leaves out columns from the right where the terminal is narrow, and always keeps the first', () => {
  const row = ['default', 'active', 'no', 'yes'];
  expect(renderTable(heading, [row], { maxWidth: 44 })).toMatch(/Persistent/);
  expect(renderTable(heading, [row], { maxWidth: 41 })).not.toMatch(/Persistent/);
  expect(renderTable(heading, [row], { maxWidth: 1 })).toBe(' Name\n----------\n default\n');
});

it('a cell cannot break out of its line', () => {
  expect(renderTable(['Name'], [['a\n fake']])).toBe(' Name\n-------------\n a\\x0a fake\n');
  expect(renderField('Name', 'a\u001b[1m')).toBe('Name:           a\\x1b[1m\n');
});
