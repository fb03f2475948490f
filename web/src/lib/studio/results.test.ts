import { expect, test } from 'vitest';
import type { CandidateRow } from '$lib/wire/CandidateRow';
import { time_used } from './campaigns';
import { by_tag, histogram, percent_of } from './results';

const row = (scores: number[], rest: Partial<CandidateRow> = {}) =>
  ({ questions: scores.map(score => ({ score, points: 10, passed: 0, total: 0, answered: true, runs: 0, best_at: null })), ...rest }) as CandidateRow;

test('each score falls into its tenth, the best into the last', () => {
  expect(histogram([0, 9.99, 10, 67, 100], 100)).toEqual([2, 1, 0, 0, 0, 0, 1, 0, 0, 1]);
  expect(histogram([0], 0)[0]).toBe(1);
});

test('us_095: results by content tag', () => {
  const questions = [{ title: 'a', points: 10, tags: ['parsing'] }, { title: 'b', points: 10, tags: ['parsing', 'heaps'] }];
  const found = by_tag(questions, [row([10, 5]), row([5, 0])]);
  expect(found.map(one => [one.tag, percent_of(one)])).toEqual([['parsing', 50], ['heaps', 25]]);
});

test('the time used leaves out what was given back', () => {
  const MIN = 60_000;
  expect(time_used(row([], { started_at: 0, ends_at: 63 * MIN, sealed_at: 55 * MIN, time_allowed_ms: 60 * MIN }))).toBe(52 * MIN);
  expect(time_used(row([], { started_at: 0, ends_at: 60 * MIN, sealed_at: null, time_allowed_ms: 60 * MIN }))).toBeUndefined();
});
