import { expect, test } from 'vitest';
import type { Test } from '$lib/wire/Test';
import { is_linear, moved, points_of, spans } from './plan';

const MIN = 60_000;
const plan = (...questions: [points: number, limit: number | null][]): Test => ({
  title: 't',
  time_allowed: 60 * MIN,
  questions: questions.map(([points, limit], i) => ({ content: String(i), version: 1, points, limit: limit === null ? null : limit * MIN })),
});

test('without limits the time is shared out by points', () => {
  const free = plan([20, null], [30, null], [40, null], [10, null]);
  expect(spans(free).map(span => span.minutes)).toEqual([12, 18, 24, 6]);
  expect(spans(free).at(-1)?.to).toBe(100);
  expect(is_linear(free)).toBe(false);
  expect(points_of(free)).toBe(100);
});

test('limits are kept, and what is left goes to the others', () => {
  const mixed = plan([10, 15], [10, null], [30, null]);
  expect(spans(mixed).map(span => Math.round(span.minutes))).toEqual([15, 11, 34]);
  expect(is_linear(mixed)).toBe(true);
});

test('limits beyond the time allowed stay on the ruler', () => {
  expect(spans(plan([1, 60], [1, 60])).map(span => span.to)).toEqual([50, 100]);
});

test('an item moves', () => {
  expect(moved(['a', 'b', 'c'], 0, 2)).toEqual(['b', 'c', 'a']);
  expect(moved(['a', 'b', 'c'], 2, 0)).toEqual(['c', 'a', 'b']);
});
