import { expect, test } from 'vitest';
import { from_local, to_local } from './zoned';

test.each([
  ['2026-11-16T09:00', 'Europe/Paris', '2026-11-16T08:00Z'],
  ['2026-07-16T09:00', 'Europe/Paris', '2026-07-16T07:00Z'],
  ['2026-07-16T09:00', 'Asia/Kathmandu', '2026-07-16T03:15Z'],
  ['2026-01-01T00:30', 'Pacific/Auckland', '2025-12-31T11:30Z'],
])('%s in %s is %s, and back', (text, zone, utc) => {
  expect(from_local(text, zone)).toBe(Date.parse(utc));
  expect(to_local(Date.parse(utc), zone)).toBe(text);
});

test('an hour that is skipped is an hour later', () => {
  expect(to_local(from_local('2026-03-29T02:30', 'Europe/Paris'), 'Europe/Paris')).toBe('2026-03-29T03:30');
});

test('nothing is nothing', () => {
  expect(from_local('', 'Europe/Paris')).toBeNull();
  expect(to_local(null, 'Europe/Paris')).toBe('');
});
