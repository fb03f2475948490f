import { expect, test } from 'vitest';
import { percent, steps, ticks } from './ruler';

test('an hour has a tick a minute, the quarters longest', () => {
  const path = ticks(60, steps(60));
  expect(path.match(/M/g)).toHaveLength(61);
  expect(path).toMatch(/^M0 12V0M1 12V8\.4/);
  expect(path).toContain('M5 12V4.6M6 12V8.4');
  expect(path.endsWith('M60 12V0')).toBe(true);
});

test('a long window has fewer ticks, never thousands', () => {
  expect(ticks(20_160, steps(20_160)).match(/M/g)!.length).toBeLessThan(100);
});

test('a place is kept on the ruler', () => {
  expect(percent(15, 0, 60)).toBe(25);
  expect(percent(99, 0, 60)).toBe(100);
  expect(percent(1, 5, 5)).toBe(0);
});
