import { expect, test } from 'vitest';
import type { CandidateRow } from '$lib/wire/CandidateRow';
import { axis, given_back, in_order, in_sight, lane, left_of, look_at, type Person, type Pulse } from './watching';

const MIN = 60_000;
const NOW = 100 * MIN;

function row(rest: Partial<CandidateRow> = {}): CandidateRow {
  return {
    session: 's', status: 'test_in_process', decline_reason: null, current: 0, time_allowed_ms: 60 * MIN, started_at: NOW - 20 * MIN, ends_at: NOW + 40 * MIN, time_up_at: null, sealed_at: null,
    handed_in: false, paused_at: null, shift_ms: 0, credits: [], pauses: [], passed: 0, total: 5, score: 0, questions: [], last_verdict: null, waiting: [], edits: 0, minutes: [], seats: 1, lates: 0, late_accepted: 0, ...rest,
  };
}
const pulse = (rest: Partial<Pulse> = {}): Pulse => ({ connected: true, heard_at: NOW, rtt_ms: 40, typed_at: NOW, edits: 1, ...rest });
const person = (name: string, rest: Partial<CandidateRow> = {}): Person => ({ session: name, name, tags: [], candidate: row(rest) });

test('a lost link, a long silence and late edits need a look', () => {
  expect(look_at(row(), pulse(), NOW)).toBeUndefined();
  expect(look_at(row(), pulse({ connected: false }), NOW)).toEqual({ why: 'link' });
  expect(look_at(row(), pulse({ typed_at: NOW - 12 * MIN }), NOW)).toEqual({ why: 'idle', minutes: 12 });
  expect(look_at(row({ paused_at: NOW }), pulse({ typed_at: NOW - 12 * MIN }), NOW)).toBeUndefined();
  expect(look_at(row({ status: 'test_finished', lates: 1 }), undefined, NOW)).toEqual({ why: 'late' });
});

test('the time left stands still while paused and after the end', () => {
  expect(left_of(row(), NOW)).toBe(40 * MIN);
  expect(left_of(row({ paused_at: NOW - 5 * MIN }), NOW)).toBe(45 * MIN);
  expect(left_of(row({ status: 'test_finished', sealed_at: NOW - 10 * MIN }), NOW)).toBe(50 * MIN);
  expect(left_of(row({ status: 'confirmed', started_at: null, ends_at: null }), NOW)).toBe(60 * MIN);
  expect(left_of(row({ status: 'declined' }), NOW)).toBeNull();
});

test('who sits comes first, by time left; who has gone comes last', () => {
  const people = [person('gone', { status: 'declined' }), person('done', { status: 'test_finished' }), person('long', { ends_at: NOW + 50 * MIN }), person('wait', { status: 'test_sent' }), person('soon', { ends_at: NOW + MIN })];
  expect(in_order(people, { by: 'left', down: false }).map(one => one.name)).toEqual(['soon', 'long', 'wait', 'done', 'gone']);
  expect(in_order(people, { by: 'name', down: true }).map(one => one.name)[0]).toBe('wait');
});

test('the axis is as long as the longest session, seconds given back aside', () => {
  const minute = (minutes: number) => row({ started_at: 0, ends_at: minutes * MIN });
  expect(axis([minute(60.05)])).toEqual({ minutes: 60, places: [0, 15, 30, 45, 60] });
  expect(axis([minute(60), minute(75)]).minutes).toBe(75);
  expect(axis([minute(180)]).places).toEqual([0, 30, 60, 90, 120, 150, 180]);
});

test('a lane is in minutes since the start', () => {
  const view = lane(row({ minutes: [5, 0, 7], credits: [{ from: NOW - 10 * MIN, to: NOW - 8 * MIN, ms: 2 * MIN }], last_verdict: { verdict: 'accepted', cpu_ms: 1, at: NOW - 5 * MIN } }), 60, NOW);
  expect(view).toMatchObject({ end: 60, now: 20, edits: [5, 0, 7], bucket_minutes: 1, off: [{ from: 10, to: 12, whose: 'ours' }], marks: [{ at: 15, kind: 'passed' }] });
  expect(lane(row({ minutes: Array.from({ length: 400 }, () => 1) }), 480, NOW)?.edits.slice(0, 2)).toEqual([3, 3]);
  expect(lane(row({ started_at: null }), 60, NOW)).toBeUndefined();
});

test('a lane has a mark for each run that counted, and hatches what was lost and by whom', () => {
  const mark = (minute: number, all: boolean) => ({ at: NOW - 20 * MIN + minute * MIN, score: 5, all });
  const scored = { score: 5, points: 10, passed: 1, answered: true, runs: 2, best_at: null };
  const questions = [{ ...scored, total: 3, marks: [mark(4, false), mark(9, true)] }, { ...scored, total: 0, marks: [mark(6, true)] }];
  const past = { questions, pauses: [{ from: NOW - 8 * MIN, to: NOW - 5 * MIN }] };
  const view = lane(row(past), 60, NOW, pulse({ connected: false, heard_at: NOW - 2 * MIN }));
  expect(view?.marks).toEqual([{ at: 4, kind: 'failed' }, { at: 9, kind: 'passed' }]);
  expect(view?.off).toEqual([{ from: 12, to: 15, whose: 'pause' }, { from: 18, to: 20, whose: 'theirs' }]);
  expect(lane(row(past), 60, NOW, pulse())?.off).toHaveLength(1);
  const paused = lane(row({ paused_at: NOW - 3 * MIN }), 60, NOW, pulse());
  expect(paused?.off).toEqual([{ from: 17, to: 20, whose: 'pause' }]);
});

test('the last outage is told once, with how many had it', () => {
  const credit = (to: number, ms: number) => ({ credits: [{ from: to - ms, to, ms }] });
  expect(given_back([row(credit(NOW, 3_000)), row(credit(NOW + 2_000, 3_000)), row(credit(10, 9_000)), row()])).toEqual({ ms: 3_000, at: NOW + 2_000, count: 2 });
  expect(given_back([row()])).toBeUndefined();
});

test('of a long table only what is in sight is drawn', () => {
  expect(in_sight(30, 40, 0, 900)).toEqual({ first: 0, last: 30 });
  const { first, last } = in_sight(1_000, 40, 20_000, 900);
  expect(first).toBe(488);
  expect(last - first).toBeLessThan(60);
  expect(in_sight(1_000, 40, 1e9, 900).last).toBe(1_000);
});
