import { expect, test } from 'vitest';
import type { WallRow } from '$lib/wire';
import { firsts, last_solved, standing } from './standing';

const ROWS: [string, WallRow][] = [
  ['a', row('Zoë', 50, 40, [12, null])],
  ['b', row('Ana', 50, 40, [9, null])],
  ['c', row('Bo', 75, 90, [20, 33])],
  ['d', row('Cy', 50, 30, [null, 8])],
];

test('score counts first, then minutes, then the name; equals share a rank', () => {
  expect(standing(ROWS).map(({ rank, row }) => [rank, row.name])).toEqual([[1, 'Bo'], [2, 'Cy'], [3, 'Ana'], [3, 'Zoë']]);
});

test('it knows who was first, and what came last', () => {
  const placed = standing(ROWS);
  const first = firsts(ROWS.map(([, row]) => row), 2);
  expect(first).toEqual([9, 8]);
  expect(last_solved(placed, first, 2).map(({ name, question, is_first }) => [name, question, is_first])).toEqual([['Bo', 1, false], ['Bo', 0, false]]);
});

function row(name: string, score: number, minutes: number, solved: (number | null)[]): WallRow {
  const questions = solved.map(solved_at_min => ({ score: 0, points: 25, tries: 1, solved_at_min }));
  return { name, score, minutes, solved: 0, questions, started_at: 0, finished: false };
}
