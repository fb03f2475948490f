import { expect, test } from 'vitest';
import type { ResultRow } from '$lib/wire';
import { compared, line_of, lines, most_telling, view_of, type RunView } from './results';

const VALIDATORS = [
  { name: 'Example 1', shown: true, weight: 1 },
  { name: 'One berth', shown: false, weight: 1 },
  { name: 'Example 2', shown: true, weight: 1 },
];

test('a run goes from one validator to the next', () => {
  const run = a_run({ results: [result(0, true, 'accepted')] });
  expect(lines(VALIDATORS, run).map(line => line.state)).toEqual(['accepted', 'running', 'waiting']);
});

test('a run of the examples leaves the hidden ones alone', () => {
  expect(lines(VALIDATORS, a_run({ kind: 'examples' })).map(line => line.state)).toEqual(['running', 'not_run', 'waiting']);
});

test('the first failure that can be looked at is shown', () => {
  const results = [
    result(0, true, 'accepted'),
    result(1, false, 'rejected'),
    result(2, true, 'wrong_answer'),
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

function a_run(rest: Partial<RunView>): RunView {
  return {
    submission: '1', question: 0, kind: 'all', language: 'python', at: 0, state: 'running', before: null, wait_s: null, revision: 1, passed: null, total: 3,
    results: [], compiled: null, compiler_output: '', ...rest,
  };
}

function result(validator: number, shown: boolean, verdict: ResultRow['verdict']): ResultRow {
  return { validator, name: '', shown, verdict, cpu_ms: 1, wall_ms: 1, memory_bytes: 1, detail: '', stdout: '', stderr: '' };
}

test('a run that waits knows its place, and one that runs what was judged so far', () => {
  const { before: _, wait_s: __, ...row } = a_run({});
  const stored = { ...row, state: 'queued' as const };
  expect(view_of(stored, { state: 'queued', place: 3, wait_ms: 4_200 }, [])).toMatchObject({ state: 'queued', before: 2, wait_s: 5 });
  expect(view_of(stored, { state: 'running', validator: 1 }, [result(0, true, 'accepted')])).toMatchObject({ state: 'running', results: [{ validator: 0 }] });
  expect(view_of({ ...stored, state: 'judged' }, { state: 'compiling' }, [])).toMatchObject({ state: 'judged' });
});
