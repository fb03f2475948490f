import { expect, test } from 'vitest';
import { outages, type NodeStatus } from './nodes';

const node = (...known: [number, number, number][]) => ({ outages: known.map(([from, to, shards]) => ({ from, to, shards })) }) as unknown as NodeStatus;

test('an outage that two nodes know of is one, and the newest comes first', () => {
  const all = outages([node([1, 2, 3], [5, 6, 1]), node([1, 2, 4])]);
  expect(all).toEqual([{ from: 5, to: 6, shards: 1 }, { from: 1, to: 2, shards: 7 }]);
});
