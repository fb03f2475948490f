import { beforeEach, expect, test } from 'vitest';
import { bytes, countdown, date, duration, milliseconds, number, same_day, time, time_in_zone } from './format';
import { language } from './i18n.svelte';

const AT = Date.UTC(2026, 10, 23, 16, 0, 8);
const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, ' ');

beforeEach(() => language.choose('en'));

test('a time is said in its zone', () => {
  expect(time(AT, 'Europe/Paris')).toBe('17:00');
  expect(time(AT, 'UTC', true)).toBe('16:00:08');
  expect(time_in_zone(AT, 'Europe/Paris')).toBe('17:00 (Europe/Paris)');
  expect(plain(date(AT, 'Europe/Paris'))).toBe('23 November 2026');
});

test('French writes hours with an h', () => {
  language.choose('fr');
  expect(plain(time_in_zone(AT, 'Europe/Paris'))).toBe('17 h 00 (heure de Paris)');
  expect(plain(time(AT, 'Europe/Paris', true))).toBe('17 h 00 min 08 s');
  expect(plain(number(1284))).toBe('1 284');
  expect(plain(milliseconds(2_000))).toBe('2,00 s');
});

test('a day is a day in its zone', () => {
  const midnight = Date.UTC(2026, 10, 23, 23, 30);
  expect(same_day(AT, midnight, 'UTC')).toBe(true);
  expect(same_day(AT, midnight, 'Europe/Paris')).toBe(false);
});

test('a countdown reaches zero only at the end', () => {
  expect(countdown(3_600_000)).toBe('60:00');
  expect(countdown(5_999_000)).toBe('99:59');
  expect(countdown(6_000_000)).toBe('1:40:00');
  expect(countdown(1_420_001)).toBe('23:41');
  expect(countdown(9_901)).toBe('00:10');
  expect(countdown(7_400)).toBe('00:07.4');
  expect(countdown(1)).toBe('00:00.1');
  expect(countdown(0)).toBe('00:00');
});

test('durations and sizes have units', () => {
  expect(plain(duration(3_351_000))).toBe('55 min 51 s');
  expect(plain(duration(3_603_000))).toBe('60 min 3 s');
  expect(plain(duration(6_120_000))).toBe('1 h 42 min');
  expect(plain(duration(0))).toBe('0 s');
  expect(plain(milliseconds(14))).toBe('14 ms');
  expect(plain(bytes(9.1 * 1_048_576))).toBe('9.1 MiB');
  expect(plain(bytes(256 * 1_048_576))).toBe('256 MiB');
});
