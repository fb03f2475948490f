import 'fake-indexeddb/auto';
import { ChangeSet, Text } from '@codemirror/state';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { difference, Draft, well_formed } from './draft';
import type { Outcome } from './live.svelte';
import { Outbox } from './outbox';
import { Saver } from './saved.svelte';
import type { FileName, SessionCommand, StoredFile } from './wire';

const FILE: FileName = { question: 0, language: 'python', name: 'main.py' };
const outbox = new Outbox();

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  await outbox.erase_session('s');
});
afterEach(() => vi.useRealTimers());

test('what is typed goes as one frame a second, one unanswered at a time', async () => {
  const server = new Server('ab');
  const saver = await server.open();
  saver.edit(FILE, insert('ab', 2, 'c'), 3);
  saver.edit(FILE, insert('abc', 3, 'd'), 4);
  saver.edit(FILE, insert('abcd', 4, 'e'), 5);
  expect(server.asked).toHaveLength(1);
  expect(saver.state).toBe('saving');
  await server.answers();
  expect(server.asked).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(server.asked).toHaveLength(1);
  await server.answers();
  expect(server.text).toBe('abcde');
  expect(saver.state).toBe('saved');
  expect(await outbox.of('s')).toEqual([]);
});

test('after two seconds without an answer it says offline, and keeps it on this device', async () => {
  const server = new Server('');
  const saver = await server.open();
  saver.edit(FILE, insert('', 0, 'x'), 1);
  await vi.advanceTimersByTimeAsync(1_900);
  expect(saver.state).toBe('saving');
  await vi.advanceTimersByTimeAsync(200);
  expect(saver.state).toBe('offline');
  await settled();
  expect(await outbox.of('s')).toMatchObject([{ rev: 0, sent: { base_rev: 0 }, pending: null }]);
  await server.answers();
  expect(saver.state).toBe('saved');
});

test('a page that was closed sends what it had not, under the same id', async () => {
  const server = new Server('a');
  const before = await server.open();
  before.edit(FILE, insert('a', 1, 'b'), 2);
  before.edit(FILE, insert('ab', 2, 'c'), 3);
  await vi.advanceTimersByTimeAsync(300);
  await settled();
  const [lost] = server.asked.splice(0);
  server.store(lost!.command);
  const after = await server.open();
  expect(after.text(FILE)).toBe('abc');
  expect(server.asked[0]!.command_id).toBe(lost!.command_id);
  await server.answers();
  expect(server.text).toBe('ab');
  await vi.advanceTimersByTimeAsync(1_000);
  await server.answers();
  expect(server.text).toBe('abc');
  expect(after.text(FILE)).toBe('abc');
});

test('a text changed elsewhere is adopted under what is pending', () => {
  const draft = new Draft(FILE, 3, 'one\ntwo');
  draft.edit(insert('one\ntwo', 7, '!'), 8);
  const changes = draft.adopt('zero\none\ntwo', 4);
  expect(draft.text()).toBe('zero\none\ntwo!');
  expect(changes.apply(Text.of(['one', 'two!'])).toString()).toBe('zero\none\ntwo!');
});

test('a refused frame does not block the ones behind it', async () => {
  const server = new Server('a');
  const saver = await server.open();
  saver.edit(FILE, insert('a', 1, 'b'), 2);
  saver.edit(FILE, insert('ab', 2, 'c'), 3);
  await server.refuses('too_long');
  expect(saver.refused?.code).toBe('too_long');
  await vi.advanceTimersByTimeAsync(1_000);
  await server.answers();
  expect(server.text).toBe('ac');
  expect(saver.text(FILE)).toBe('ac');
});

test('what came in a pause is kept apart, and what is typed after it is stored', async () => {
  const server = new Server('a');
  const saver = await server.open();
  saver.edit(FILE, insert('a', 1, 'b'), 2);
  await server.keeps_apart();
  expect(saver.text(FILE)).toBe('a');
  expect(saver.state).toBe('saved');
  expect(await outbox.of('s')).toEqual([]);
  saver.edit(FILE, insert('a', 1, 'c'), 2);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(server.asked[0]!.command.base_rev).toBe(0);
  await server.answers();
  expect(server.text).toBe('ac');
  expect(saver.text(FILE)).toBe('ac');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(server.asked).toEqual([]);
});

test('a taken seat stops sending and loses nothing', async () => {
  const server = new Server('a');
  const saver = await server.open();
  saver.edit(FILE, insert('a', 1, 'b'), 2);
  await server.refuses('seat_taken');
  expect(saver.text(FILE)).toBe('ab');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(server.asked).toHaveLength(0);
  await saver.resume();
  await server.answers();
  expect(server.text).toBe('ab');
});

test('what no server can store is replaced, one character for one', () => {
  expect(well_formed([1, [0, 'a\0b\ud800', 'ok \u{1f600}']])).toEqual([1, [0, 'a\ufffdb\ufffd', 'ok \u{1f600}']]);
  expect(difference(Text.of(['abc']), 'aXc').toJSON()).toEqual([1, [1, 'X'], 1]);
  expect(difference(Text.of(['abc']), 'abc').empty).toBe(true);
});

function insert(text: string, at: number, what: string): ChangeSet {
  return ChangeSet.of({ from: at, insert: what }, text.length);
}

/** Lets the database of the device finish; its steps are real. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(() => setImmediate(() => setImmediate(resolve))));
}

type Edit = Extract<SessionCommand, { type: 'edit' }>;

/** A server of one file that answers when it is told to. */
class Server {
  text: string;
  rev = 0;
  asked: { command: Edit; command_id: string; settle: (outcome: Outcome) => void }[] = [];
  #known = new Map<string, number>();

  constructor(text: string) {
    this.text = text;
  }

  async open(): Promise<Saver> {
    const port = {
      session: 's',
      seat: () => 'here',
      send: (command: SessionCommand, { id }: { id: string }) =>
        new Promise<Outcome>(settle => this.asked.push({ command: command as Edit, command_id: id, settle })),
      files: async (): Promise<StoredFile[]> => [this.file()],
      changed: () => {},
    };
    const saver = new Saver(port, outbox);
    const loading = saver.load([this.file()]);
    await settled();
    await loading;
    return saver;
  }

  file(): StoredFile {
    return { ...FILE, rev: this.rev, text: this.text, caret: 0, deleted: false };
  }

  store(command: Edit): void {
    this.text = ChangeSet.fromJSON(command.changes).apply(Text.of(this.text.split('\n'))).toString();
    this.rev += 1;
    this.#known.set(JSON.stringify(command.changes) + command.base_rev, this.rev);
  }

  async answers(): Promise<void> {
    const { command, settle } = this.asked.shift()!;
    const key = JSON.stringify(command.changes) + command.base_rev;
    if (!this.#known.has(key)) this.store(command);
    settle({ ok: true, answer: { rev: this.#known.get(key) }, epoch: 1, seq: this.rev });
    await settled();
  }

  async keeps_apart(): Promise<void> {
    this.asked.shift()!.settle({ ok: true, answer: { late: 0 }, epoch: 1, seq: 1 });
    await settled();
  }

  async refuses(code: string): Promise<void> {
    this.asked.shift()!.settle({ ok: false, why: { code, text: code } });
    await settled();
  }
}
