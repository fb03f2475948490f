import { expect, test } from 'vitest';
import type { WallRow } from '$lib/wire';
import { firsts, last_solved, span_of, standing, stands } from './standing';

const ROWS: [string, WallRow][] = [
  ['a', row('Zoë', 50, 40, [12, null])],
  ['b', row('Ana', 50, 40, [9, null])],
  ['c', row('Bo', 75, 90, [20, 33])],
  ['d', row('Cy', 50, 30, [null, 8])],
];

test('it stands by score and minutes, and equals by who came to it first, then by name', () => {
  const names = (rows: Map<string, unknown>) => standing(rows).map(({ rank, row }) => [rank, row.name]);
  expect(names(new Map(ROWS))).toEqual([[1, 'Bo'], [2, 'Cy'], [3, 'Ana'], [3, 'Zoë']]);
  const since = ROWS.map(([key, row]): [string, WallRow] => [key, { ...row, since: row.name === 'Ana' ? 9 : 5 }]);
  expect(names(new Map(since))).toEqual([[1, 'Bo'], [2, 'Cy'], [3, 'Zoë'], [3, 'Ana']]);
});

test('rows further down have their places from where their window stands', () => {
  const rows = new Map<string, unknown>([...ROWS, ['window', { from: 9, rank: 8 }], ['about', {}], ['you', {}]]);
  expect(standing(rows).map(({ rank }) => rank)).toEqual([8, 11, 12, 12]);
});

test('by the rules of the ICPC it stands by what is solved and by penalty', () => {
  const solved = ROWS.map(([key, row]): [string, WallRow] => [key, { ...row, solved: row.name === 'Zoë' ? 2 : 1 }]);
  const rows = new Map<string, unknown>([...solved, ['window', { from: 0, rank: 1, rules: 'icpc' }]]);
  expect(standing(rows).map(({ rank, row }) => [rank, row.name])).toEqual([[1, 'Zoë'], [2, 'Cy'], [3, 'Ana'], [4, 'Bo']]);
});

test('it knows who was first, and what came last', () => {
  const placed = standing(new Map(ROWS));
  const first = firsts(ROWS, 2);
  expect(first).toEqual(['b', 'd']);
  expect(last_solved(placed, first, 2).map(({ name, question, is_first }) => [name, question, is_first])).toEqual([['Bo', 1, false], ['Bo', 0, false]]);
});

function row(name: string, score: number, minutes: number, solved: (number | null)[]): WallRow {
  const questions = solved.map(solved_at_min => ({ score: solved_at_min === null ? 0 : 25, points: 25, tries: 1, solved_at_min }));
  return { name, score, since: null, minutes, solved: 0, questions, started_at: 0, finished: false };
}

test('a cell says what is known of a question, and after the freeze only that somebody tried', () => {
  const cell = { score: 0, points: 25, tries: 0, solved_at_min: null };
  expect(stands(cell)).toBe('untried');
  expect(stands({ ...cell, tries: 2 })).toBe('tried');
  expect(stands({ ...cell, tries: 2, score: 10, solved_at_min: 12 })).toBe('some');
  expect(stands({ ...cell, tries: 2, score: 25, solved_at_min: 12 })).toBe('solved');
  expect(stands({ ...cell, tries: 3, score: 10, solved_at_min: 12, pending: true })).toBe('pending');
  expect(stands({ ...cell, score: 25 })).toBe('solved');
});

test('what was solved in part is not told as solved', () => {
  const half = row('Di', 10, 5, [5]);
  if (half.questions[0]) half.questions[0].score = 10;
  expect(firsts([['d', half]], 1)).toEqual([null]);
  expect(last_solved(standing(new Map([['d', half]])), [null], 5)).toEqual([]);
});

test('a campaign without edges is spanned by those who sit it', () => {
  const open = { opens_at: null, closes_at: null, time_allowed_ms: 60 };
  const started = (at: number) => ({ ...row('Ed', 0, 0, []), started_at: at });
  expect(span_of(open, [started(100), started(130)], 150)).toEqual({ from: 100, until: 190 });
  expect(span_of(open, [], 150)).toEqual({ from: 150, until: 210 });
  expect(span_of({ ...open, opens_at: 50, closes_at: 400 }, [started(100)], 150)).toEqual({ from: 50, until: 400 });
});

test('of two who took as many minutes, who did it first is the first to solve', () => {
  const late = { ...row('Fay', 25, 4, [4]), started_at: 60_000 };
  expect(firsts([['late', late], ['soon', row('Gil', 25, 4, [4])]], 1)).toEqual(['soon']);
});
