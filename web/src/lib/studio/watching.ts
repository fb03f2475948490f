/** What the monitor makes of its rows: the order, who needs a look, the shared axis. Pure. */
import type { Lost } from '$lib/Lane.svelte';
import type { Mark } from '$lib/Ruler.svelte';
import type { CandidateRow } from '$lib/wire/CandidateRow';
import type { Watched } from './room.svelte';

/** Row `p.<session>`: changes often. */
export type Pulse = { connected: boolean; heard_at: number; rtt_ms: number | null; typed_at: number | null; edits: number };
/** Row `queue`. */
export type Queue = { waiting: number; running: number; oldest_at: number | null };
export type Person = Watched & { session: string };
export type Look = { why: 'link' | 'late' | 'ours' } | { why: 'idle'; minutes: number };
export type By = 'name' | 'status' | 'left' | 'passed' | 'verdict';

const NAMES = new Intl.Collator(undefined, { numeric: true });
const MINUTE = 60_000;
const IDLE_MINUTES = 10;
const BARS_MAX = 160;

export function sits({ status }: CandidateRow): boolean {
  return status === 'test_in_process';
}

export function is_away({ status }: CandidateRow): boolean {
  return status === 'declined' || status === 'cancelled';
}

/** Sitting, not begun, finished, gone. */
export function rank(row: CandidateRow): number {
  if (sits(row)) return 0;
  if (is_away(row)) return 3;
  return row.status === 'test_finished' ? 2 : 1;
}

export function look_at(row: CandidateRow, pulse: Pulse | undefined, now: number): Look | undefined {
  if (row.lates > row.late_accepted) return { why: 'late' };
  if (!sits(row)) return undefined;
  if (pulse && !pulse.connected) return { why: 'link' };
  if (row.last_verdict?.verdict === 'internal_error') return { why: 'ours' };
  const since = Math.max(pulse?.typed_at ?? 0, row.last_verdict?.at ?? 0, row.started_at ?? now);
  const minutes = Math.floor((now - since) / MINUTE);
  return row.paused_at === null && pulse !== undefined && minutes >= IDLE_MINUTES ? { why: 'idle', minutes } : undefined;
}

/** Time left: of who sits until the end, of who has finished what was left then. */
export function left_of(row: CandidateRow, now: number): number | null {
  if (is_away(row)) return null;
  if (row.ends_at === null) return row.time_allowed_ms;
  return Math.max(0, row.ends_at - (row.sealed_at ?? row.paused_at ?? now));
}

export function compare(by: By, a: Person, b: Person): number {
  switch (by) {
    case 'name': return NAMES.compare(a.name, b.name);
    case 'status': return rank(a.candidate) - rank(b.candidate);
    case 'passed': return a.candidate.passed - b.candidate.passed;
    case 'verdict': return (a.candidate.last_verdict?.at ?? 0) - (b.candidate.last_verdict?.at ?? 0);
    case 'left': return (a.candidate.ends_at ?? 0) - (b.candidate.ends_at ?? 0);
    default: return by satisfies never;
  }
}

/** The candidates in order. Whatever it is sorted by, who sits comes first and who has gone comes last. */
export function in_order(people: Person[], { by, down }: { by: By; down: boolean }): Person[] {
  const turn = down ? -1 : 1;
  const grouped = by !== 'name';
  return [...people].sort((a, b) => (grouped ? rank(a.candidate) - rank(b.candidate) : 0) || turn * compare(by, a, b) || NAMES.compare(a.name, b.name));
}

/** The length of the axis that all lanes share, in minutes, and where its numbers stand. */
export function axis(rows: CandidateRow[]): { minutes: number; places: number[] } {
  let longest = 15 * MINUTE;
  for (const row of rows) longest = Math.max(longest, row.started_at !== null && row.ends_at !== null ? row.ends_at - row.started_at : is_away(row) ? 0 : row.time_allowed_ms);
  const whole = longest / MINUTE;
  const step = [5, 15, 30, 60, 120, 240, 480, 1_440].find(step => whole / step <= 6) ?? 2_880;
  // A few seconds given back are no reason for a longer axis.
  const minutes = Math.ceil((whole - step / 5) / step) * step;
  return { minutes, places: Array.from({ length: minutes / step + 1 }, (_, i) => i * step) };
}

export type LaneView = { end: number; now: number | undefined; edits: number[]; bucket_minutes: number; off: Lost[]; marks: Mark[] };

/** One candidate's lane, in minutes since the start; `now` as of a whole minute is enough. */
export function lane(row: CandidateRow, minutes: number, now: number, pulse?: Pulse): LaneView | undefined {
  const { started_at, ends_at } = row;
  if (started_at === null || ends_at === null) return undefined;
  const at = (moment: number) => Math.min(minutes, Math.max(0, (moment - started_at) / MINUTE));
  const over = row.sealed_at ?? row.time_up_at;
  const bucket_minutes = Math.max(1, Math.ceil(minutes / BARS_MAX));
  return {
    end: at(ends_at),
    now: over === null ? at(Math.min(row.paused_at ?? now, ends_at)) : undefined,
    edits: bucketed(row.minutes, bucket_minutes),
    bucket_minutes,
    off: lost(row, now, pulse).map(({ from, to, whose }) => ({ from: at(from), to: Math.max(at(to), at(from) + minutes / 100), whose })),
    marks: marks(row, at),
  };
}

/** Spans of time that were not theirs to use, or not heard of: of links only the present one is known. */
function lost(row: CandidateRow, now: number, pulse: Pulse | undefined): Lost[] {
  // Rows that were stored before pauses were kept have none.
  const spans: Lost[] = [...row.credits.map(({ from, to }) => ({ from, to, whose: 'ours' as const })), ...(row.pauses ?? []).map(span => ({ ...span, whose: 'pause' as const }))];
  if (!sits(row)) return spans;
  if (row.paused_at !== null) spans.push({ from: row.paused_at, to: now, whose: 'pause' });
  else if (pulse && !pulse.connected && pulse.heard_at < now) spans.push({ from: pulse.heard_at, to: now, whose: 'theirs' });
  return spans;
}

function marks({ questions, last_verdict }: CandidateRow, at: (moment: number) => number): Mark[] {
  const found = new Map<number, Mark>();
  for (const { best_at, passed, total, marks } of questions) {
    // A quiz is answered, not run; a row of before knows only its best.
    if (total === 0) continue;
    if (marks?.length) for (const mark of marks) found.set(at(mark.at), { at: at(mark.at), kind: mark.all ? 'passed' : 'failed' });
    else if (best_at !== null) found.set(at(best_at), { at: at(best_at), kind: passed === total ? 'passed' : 'failed' });
  }
  if (last_verdict && found.size === 0) found.set(at(last_verdict.at), { at: at(last_verdict.at), kind: last_verdict.verdict === 'accepted' ? 'passed' : 'failed' });
  return [...found.values()];
}

function bucketed(minutes: number[], size: number): number[] {
  if (size === 1) return minutes;
  const buckets: number[] = [];
  minutes.forEach((count, minute) => {
    const bucket = Math.floor(minute / size);
    buckets[bucket] = (buckets[bucket] ?? 0) + count;
  });
  return buckets;
}

/** The last outage that was given back: how much, when, to how many. */
export function given_back(rows: CandidateRow[]): { ms: number; at: number; count: number } | undefined {
  let last: { ms: number; at: number } | undefined;
  for (const { credits } of rows) for (const { to, ms } of credits) if (!last || to > last.at) last = { ms, at: to };
  if (!last) return undefined;
  const { at } = last;
  return { ...last, count: rows.filter(({ credits }) => credits.some(({ to }) => Math.abs(to - at) < MINUTE)).length };
}

/** Which rows of a long table are drawn: those in sight, and some around them. */
export function in_sight(count: number, height: number, top: number, screen: number): { first: number; last: number } {
  const AROUND = 12;
  const FEW = 120;
  if (count <= FEW || height <= 0) return { first: 0, last: count };
  const first = Math.max(0, Math.min(count - 1, Math.floor(top / height) - AROUND));
  return { first, last: Math.min(count, first + Math.ceil(screen / height) + 2 * AROUND) };
}
