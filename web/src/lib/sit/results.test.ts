import { expect, test } from 'vitest';
import type { RunRow } from '$lib/wire';
import { compared, line_of, lines, most_telling } from './results';

const VALIDATORS = [
  { name: 'Example 1', shown: true, weight: 1 },
  { name: 'One berth', shown: false, weight: 1 },
  { name: 'Example 2', shown: true, weight: 1 },
];

test('a run goes from one validator to the next', () => {
  const run = a_run({ results: [{ validator: 0, shown: true, name: 'Example 1', verdict: 'accepted' }] });
  expect(lines(VALIDATORS, run).map(line => line.state)).toEqual(['accepted', 'running', 'waiting']);
});

test('a run of the examples leaves the hidden ones alone', () => {
  expect(lines(VALIDATORS, a_run({ kind: 'examples' })).map(line => line.state)).toEqual(['running', 'not_run', 'waiting']);
});

test('the first failure that can be looked at is shown', () => {
  const results = [
    { validator: 0, shown: true, name: '', verdict: 'accepted' as const },
    { validator: 1, shown: false, name: '', verdict: 'rejected' as const },
    { validator: 2, shown: true, name: '', verdict: 'wrong_answer' as const },
  ];
  expect(most_telling(lines(VALIDATORS, a_run({ state: 'judged', results })))).toBe(2);
});

test('words are compared in their places', () => {
  expect(compared('40 4\n1', '25 4')).toEqual([
    { space: '', text: '40', same: false },
    { space: ' ', text: '4', same: true },
    { space: '\n', text: '1', same: false },
  ]);
});

test('a line that is named is found', () => {
  expect(line_of('wrong on line 3')).toBe(3);
  expect(line_of('killed by signal 11')).toBeUndefined();
});

function a_run(rest: Partial<RunRow>): RunRow {
  return {
    submission: '1', question: 0, kind: 'all', language: 'python', at: 0, state: 'running', place: null, revision: 1, passed: null, total: 3,
    results: [], compiled: null, compiler_output: '', ...rest,
  };
}
