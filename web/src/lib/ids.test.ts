import { expect, test } from 'vitest';
import { random_id } from './ids';

test('an id is a UUID of version 4, and never the same twice', () => {
  expect(random_id()).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  expect(new Set(Array.from({ length: 100 }, random_id)).size).toBe(100);
});
