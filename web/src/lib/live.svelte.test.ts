import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Clock } from './clock.svelte';
import { Live } from './live.svelte';
import { append_output, text_of, type Output } from './output';
import type { ClientFrame, ServerFrame } from './wire';

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  FakeSocket.all = [];
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test('after a lost link it resumes each topic and asks again what was not answered', async () => {
  const { live, server } = connected();
  const board = live.watch('board.1');
  server.says(rows('board.1', 4, { reset: true, rows: [{ key: 't1', value: 10 }] }));
  const answer = live.do('campaign.1', { type: 'join' });
  expect(server.heard('do')).toMatchObject([{ first: true }]);
  server.close(1006);
  expect(live.link).toBe('lost');
  const again = await reconnected();
  expect(again.heard('watch')).toEqual([{ type: 'watch', topic: 'board.1', epoch: 1, after_seq: 4 }]);
  const [resent] = again.heard('do');
  expect(resent).not.toHaveProperty('first');
  again.says({ type: 'done', command_id: resent!.command_id, epoch: 1, seq: 5 });
  expect(await answer).toMatchObject({ ok: true, seq: 5 });
  again.says(rows('board.1', 5, { prev: 4, rows: [{ key: 't1', value: null }] }));
  expect(board.rows.size).toBe(0);
});

test('a missing frame makes it ask again from where it stands', () => {
  const { live, server } = connected();
  const topic = live.watch('session.1');
  server.says(rows('session.1', 4, { reset: true, rows: [] }));
  server.says(rows('session.1', 7, { prev: 6, rows: [{ key: 'a', value: 1 }] }));
  expect(topic.rows.size).toBe(0);
  expect(server.heard('watch').at(-1)).toMatchObject({ after_seq: 4 });
  server.says(rows('session.1', 7, { prev: 4, rows: [{ key: 'a', value: 1 }] }));
  expect(topic.row('a')).toBe(1);
});

test('a lost last frame is found by the heads of a pong', async () => {
  const { live, server } = connected();
  live.watch('session.1');
  server.says(rows('session.1', 4, { reset: true, rows: [] }));
  server.says({ type: 'pong', sent_ms: performance.now(), server_ms: 0, heads: { 'session.1': [1, 4] } });
  expect(server.heard('watch')).toHaveLength(1);
  server.says({ type: 'pong', sent_ms: performance.now(), server_ms: 0, heads: { 'session.1': [1, 6] } });
  expect(server.heard('watch')).toHaveLength(2);
});

test('pages of a reading are put at once, the last one with its seq', () => {
  const { live, server } = connected();
  const topic = live.watch('monitor.1');
  server.says(rows('monitor.1', 1, { reset: true, rows: [{ key: 'gone', value: 1 }] }));
  server.says(rows('monitor.1', 9, { reset: true, more: true, rows: [{ key: 'a', value: 1 }] }));
  expect([...topic.rows.keys()]).toEqual(['gone']);
  server.says(rows('monitor.1', 9, { rows: [{ key: 'b', value: 2 }] }));
  expect([...topic.rows.keys()]).toEqual(['a', 'b']);
});

test('frames of an older epoch are left out, a newer one without reset is asked for', () => {
  const { live, server } = connected();
  const topic = live.watch('board.1');
  server.says({ ...rows('board.1', 4, { reset: true, rows: [{ key: 'a', value: 2 }] }), epoch: 2 });
  server.says({ ...rows('board.1', 9, { reset: true, rows: [] }), epoch: 1 });
  expect(topic.row('a')).toBe(2);
  server.says({ ...rows('board.1', 1, { rows: [] }), epoch: 3 });
  expect(server.heard('watch').at(-1)).toMatchObject({ epoch: 2, after_seq: 4 });
});

test('refused for now: the same command goes again, after the time named', async () => {
  const { live, server } = connected();
  const answer = live.do('session.1', { type: 'run' });
  const [sent] = server.heard('do');
  server.says({ type: 'refused', command_id: sent!.command_id, why: { code: 'busy', text: 'busy', retry_after_ms: 1_000 } });
  expect(live.waits_for).toBe('busy');
  await vi.advanceTimersByTimeAsync(900);
  expect(server.heard('do')).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(400);
  expect(server.heard('do')).toHaveLength(2);
  expect(server.heard('do')[1]!.command_id).toBe(sent!.command_id);
  server.says({ type: 'refused', command_id: sent!.command_id, why: { code: 'sealed', text: 'over' } });
  expect(await answer).toEqual({ ok: false, why: { code: 'sealed', text: 'over' } });
  expect(live.waits_for).toBeUndefined();
});

test('a close code from 4500 on is final, below it is not', async () => {
  const { live, server } = connected();
  server.close(4_000);
  expect(live.link).toBe('lost');
  (await reconnected()).close(4_501);
  expect(live.link).toBe('closed');
  expect(live.closed_code).toBe(4_501);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(FakeSocket.all).toHaveLength(2);
});

test('a bye names the time of return', async () => {
  const { server } = connected();
  server.says({ type: 'bye', code: 4_000, retry_after_ms: 3_000 });
  server.close(4_001);
  await vi.advanceTimersByTimeAsync(2_900);
  expect(FakeSocket.all).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(300);
  expect(FakeSocket.all).toHaveLength(2);
});

test('whoever has just become somebody else gets another socket', () => {
  const { live, server } = connected();
  live.watch('session.1');
  live.reopen();
  const other = FakeSocket.all[1]!;
  other.open();
  expect(live.link).toBe('live');
  expect(server.readyState).toBe(3);
  expect(other.heard('watch')).toHaveLength(1);
});

test('who signs out watches nothing any more, and is connected again once they watch', () => {
  const { live, server } = connected();
  live.unwatch(live.watch('monitor.1'));
  server.close(4_501);
  expect(live.link).toBe('closed');
  live.reopen();
  expect(FakeSocket.all).toHaveLength(1);
  live.watch('monitor.1');
  FakeSocket.all[1]!.open();
  expect(live.link).toBe('live');
});

test('silence is a lost link', async () => {
  const { live } = connected();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(live.link).toBe('lost');
});

test('a topic that nobody watches any more is told so', () => {
  const { live, server } = connected();
  const topic = live.watch('wall.1');
  live.watch('wall.1');
  live.unwatch(topic);
  expect(server.heard('unwatch')).toHaveLength(0);
  live.unwatch(topic);
  expect(server.heard('unwatch')).toHaveLength(1);
});

test('output grows, and a chunk that came twice counts once', () => {
  const { live, server } = connected();
  const topic = live.watch('output.1', { merge: append_output });
  const chunk = (seq: number, offset: number, text: string) =>
    server.says(rows('output.1', seq, { rows: [{ key: '0.stdout', value: { offset, text } }] }));
  chunk(2, 0, 'ab');
  chunk(4, 2, 'cd');
  chunk(4, 2, 'cd');
  expect(text_of(topic.row<Output>('0.stdout'))).toBe('abcd');
  const whole = [0, 2].map((offset, i) => ({ key: '0.stdout', value: { offset, text: ['AB', 'CD'][i] } }));
  server.says(rows('output.1', 4, { reset: true, rows: whole }));
  expect(text_of(topic.row<Output>('0.stdout'))).toBe('ABCD');
});

test('what is typed goes out at once or not at all, and a refusal is kept', () => {
  const { live, server } = connected();
  expect(live.tell({ type: 'type', submission: '1', text: 'a\\n' })).toBe(true);
  expect(server.heard('type')).toHaveLength(1);
  server.says({ type: 'untyped', submission: '1', why: { code: 'run_over', text: '' } });
  expect(live.untyped?.why.code).toBe('run_over');
  live.tell({ type: 'stop', submission: '1' });
  expect(live.untyped).toBe(null);
});

test('another window of a wall begins anew, and what still comes of the one before is not put', () => {
  const { live, server } = connected();
  const topic = live.watch('wall.1');
  server.says({ ...rows('wall.1', 4, { reset: true, rows: [{ key: 'a', value: 1 }] }), epoch: 9 });
  live.look_at(topic, { from: 200, count: 11 });
  expect(server.heard('watch').at(-1)).toEqual({ type: 'watch', topic: 'wall.1', window: { from: 200, count: 11 } });
  server.says({ ...rows('wall.1', 5, { prev: 4, rows: [{ key: 'b', value: 2 }] }), epoch: 9 });
  expect(topic.rows.has('b')).toBe(false);
  // Each window has epochs of its own: this one was looked at by somebody before.
  server.says({ ...rows('wall.1', 2, { reset: true, rows: [{ key: 'c', value: 3 }] }), epoch: 7 });
  expect([...topic.rows.keys()]).toEqual(['c']);
  server.says({ ...rows('wall.1', 3, { prev: 2, rows: [{ key: 'c', value: 4 }] }), epoch: 7 });
  expect(topic.row('c')).toBe(4);
  live.look_at(topic);
  expect(server.heard('watch').at(-1)).toEqual({ type: 'watch', topic: 'wall.1' });
});

test('a topic that cannot be read for now is asked for again, and one that is not ours is not', async () => {
  const { live, server } = connected();
  live.watch('session.1');
  server.says({ type: 'unwatched', topic: 'session.1', why: { code: 'unavailable', text: '', retry_after_ms: 1_000 } });
  await vi.advanceTimersByTimeAsync(1_300);
  expect(server.heard('watch')).toHaveLength(2);
  server.says({ type: 'unwatched', topic: 'session.1', why: { code: 'not_found', text: '' } });
  await vi.advanceTimersByTimeAsync(4_000);
  expect(server.heard('watch')).toHaveLength(2);
});

function connected(): { live: Live; server: FakeSocket } {
  const live = new Live('ws://x', new Clock());
  live.open();
  const server = FakeSocket.all[0]!;
  server.open();
  return { live, server };
}

async function reconnected(): Promise<FakeSocket> {
  await vi.advanceTimersByTimeAsync(10_000);
  const server = FakeSocket.all.at(-1)!;
  server.open();
  return server;
}

function rows(topic: string, seq: number, rest: Partial<Extract<ServerFrame, { type: 'rows' }>>): Extract<ServerFrame, { type: 'rows' }> {
  return { type: 'rows', topic, epoch: 1, seq, rows: [], ...rest };
}

class FakeSocket {
  static OPEN = 1;
  static all: FakeSocket[] = [];
  readyState = 0;
  sent: ClientFrame[] = [];
  onopen = () => {};
  onclose = (_: { code: number }) => {};
  onmessage = (_: { data: string }) => {};

  constructor() {
    FakeSocket.all.push(this);
  }
  send(text: string) {
    this.sent.push(JSON.parse(text) as ClientFrame);
  }
  open() {
    this.readyState = 1;
    this.onopen();
  }
  close(code = 1_000) {
    this.readyState = 3;
    this.onclose({ code });
  }
  says(frame: ServerFrame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }
  heard<T extends ClientFrame['type']>(type: T): Extract<ClientFrame, { type: T }>[] {
    return this.sent.filter((frame): frame is Extract<ClientFrame, { type: T }> => frame.type === type);
  }
}
