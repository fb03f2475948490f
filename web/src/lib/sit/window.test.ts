import { expect, test } from 'vitest';
import { time_window } from './window';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test('all of the time, if the campaign stays open long enough', () => {
  expect(time_window(0, 0, 2 * HOUR, HOUR)).toEqual({ minutes: 60, full: 60, is_cut: false, latest_start: HOUR, state: 'open' });
  expect(time_window(0, 0, null, HOUR)).toMatchObject({ minutes: 60, is_cut: false, latest_start: null });
});

test('40 of 60 minutes, because the campaign closes', () => {
  expect(time_window(80 * MINUTE, 0, 2 * HOUR, HOUR)).toMatchObject({ minutes: 40, full: 60, is_cut: true });
  expect(time_window(80 * MINUTE + 1, 0, 2 * HOUR, HOUR)).toMatchObject({ minutes: 39 });
});

test('waiting costs nothing before it opens', () => {
  expect(time_window(0, HOUR, 2 * HOUR, HOUR)).toMatchObject({ minutes: 60, state: 'before' });
  expect(time_window(2 * HOUR, 0, 2 * HOUR, HOUR)).toMatchObject({ minutes: 0, state: 'closed' });
});
