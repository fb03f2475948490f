import { expect, test } from 'vitest';
import { split } from './ndjson';

test('lines are whole however the bytes are cut', async () => {
  const bytes = new TextEncoder().encode('{"name":"Þórunn"}\n{"n":2}\n\n{"n":3}');
  const cut = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let i = 0; i < bytes.length; i += 3) controller.enqueue(bytes.slice(i, i + 3));
      controller.close();
    },
  });
  const read: unknown[] = [];
  for await (const line of split(cut)) read.push(line);
  expect(read).toEqual([{ name: 'Þórunn' }, { n: 2 }, { n: 3 }]);
});
