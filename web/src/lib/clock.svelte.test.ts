import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Clock, until_next } from './clock.svelte';

beforeEach(() => vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => vi.useRealTimers());

test('time left follows the server, whatever this device believes', () => {
  const clock = new Clock();
  const sent = performance.now();
  clock.sync(5_000_000, sent, sent);
  expect(Math.round(clock.remaining(5_060_000))).toBe(60_000);
  expect(Math.round(clock.device_ahead_ms ?? 0)).toBe(-4_000_000);
});

test('a changed wall clock moves nothing', () => {
  const clock = new Clock();
  clock.sync(5_000_000, performance.now(), performance.now());
  vi.setSystemTime(9_000_000);
  expect(Math.round(clock.exact())).toBe(5_000_000);
});

test('the quickest of the last measurements counts', () => {
  const clock = new Clock();
  const now = performance.now();
  clock.sync(2_000_000, now - 20, now);
  clock.sync(2_009_000, now - 900, now);
  expect(Math.round(clock.exact())).toBe(2_000_000 + 10);
});

test('it ticks when the shown second changes, and in tenths under ten seconds', () => {
  expect(until_next(0, 30_400)).toBe(402);
  expect(until_next(0, 30_000)).toBe(1_002);
  expect(until_next(0, 9_950)).toBe(52);
  expect(until_next(10_250, null)).toBe(752);
});

test('a deadline in the past leaves nothing', () => {
  const clock = new Clock();
  expect(clock.remaining(clock.now - 1)).toBe(0);
});
