import { ChangeSet, Text } from '@codemirror/state';
import { expect, test } from 'vitest';
import { median, parse_number } from './numbers';
import { applied, one_line } from './text';

test('changes of the editor give the editor’s text', () => {
  const text = 'first\nsecond\nthird';
  const changes = ChangeSet.of([{ from: 0, to: 5, insert: '1st' }, { from: 13, insert: 'the\n' }], text.length);
  expect(applied(text, changes)).toBe(changes.apply(Text.of(text.split('\n'))).toString());
});

test('a text on one line shows where its lines end', () => {
  expect(one_line('4 2\n0 30\n5 10\n')).toBe('4 2 ↵ 0 30 ↵ 5…');
  expect(one_line('35 18\n')).toBe('35 18');
});

test.each([['2', 2], ['0,5', 0.5], ['1 000', 1_000], ['1e-6', 1e-6], ['', undefined], ['2 s', undefined]])('%j is %j', (text, number) => {
  expect(parse_number(text)).toBe(number);
});

test('the median of an even number is between two', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeUndefined();
});
