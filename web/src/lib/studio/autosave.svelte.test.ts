import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Autosave } from './autosave.svelte';

type Doc = { title: string };
type Put = { edition: number; document: Doc };
const STORED = { id: 'c', owner: 'p', version: 3, edition: 7, is_frozen: true, is_archived: false, document: { title: 'a' }, missing: [] };

let puts: Put[];
let answer: () => Response;

beforeEach(() => {
  vi.useFakeTimers();
  puts = [];
  answer = () => Response.json({ id: 'c', version: 4, edition: 7 + puts.length });
  vi.stubGlobal('fetch', async (_: string, { method, body }: { method: string; body: string }) => {
    if (method !== 'PUT') return Response.json({ ...STORED, edition: 20 });
    puts.push(JSON.parse(body) as Put);
    return answer();
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('changes are saved once, after a pause, and the next version is no longer frozen', async () => {
  const saver = new Autosave<Doc>('contents/c', STORED);
  saver.touch('{"title":"ab"}');
  saver.touch('{"title":"abc"}');
  expect(saver.state).toBe('saving');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(puts).toEqual([{ edition: 7, document: { title: 'abc' } }]);
  expect(saver).toMatchObject({ state: 'saved', version: 4, is_frozen: false });
});

test('each save names the edition of the one before', async () => {
  const saver = new Autosave<Doc>('contents/c', STORED);
  saver.touch('{"title":"b"}');
  await saver.flush();
  saver.touch('{"title":"c"}');
  await saver.flush();
  expect(puts.map(put => put.edition)).toEqual([7, 8]);
});

test('somebody else’s save is not overwritten unless asked', async () => {
  answer = () => Response.json({ code: 'changed_elsewhere', text: '' }, { status: 409 });
  const saver = new Autosave<Doc>('contents/c', STORED);
  saver.touch('{"title":"mine"}');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(saver.state).toBe('clash');
  saver.touch('{"title":"mine, more"}');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(puts).toHaveLength(1);
  answer = () => Response.json({ id: 'c', version: 4, edition: 21 });
  await saver.overwrite();
  expect(puts.at(-1)).toEqual({ edition: 20, document: { title: 'mine, more' } });
  expect(saver.state).toBe('saved');
});

test('no answer: it says so and tries again', async () => {
  answer = () => { throw new TypeError('network'); };
  const saver = new Autosave<Doc>('contents/c', STORED);
  saver.touch('{"title":"b"}');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(saver.state).toBe('offline');
  answer = () => Response.json({ id: 'c', version: 3, edition: 8 });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(saver.state).toBe('saved');
});
