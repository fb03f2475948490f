/** The order of a wall, and what is told beside it. */
import type { WallCell, WallRow, WallWindow } from '$lib/wire';
import type { WallRules } from '$lib/wire/WallRules';

export type Placed = { key: string; rank: number; row: WallRow };

const NO_PERSON = new Set(['about', 'window', 'you']);

/** By what the rows are ordered. */
export function rules_of(rows: ReadonlyMap<string, unknown>): WallRules {
  return (rows.get('window') as WallWindow | undefined)?.rules ?? 'points';
}

/** What counts first, the more the better. */
export function most(row: WallRow, rules: WallRules): number {
  return rules === 'icpc' ? row.solved : row.score;
}

/** The people of a wall, or around somebody, in order and with their ranks: by what counts first, then by minutes; equals share one, and who came to it first is first. */
export function standing(rows: ReadonlyMap<string, unknown>): Placed[] {
  const people = ([...rows] as [string, WallRow][]).filter(([key]) => !NO_PERSON.has(key));
  const { from, rank } = (rows.get('window') as WallWindow | undefined) ?? { from: 0, rank: 1 };
  const rules = rules_of(rows);
  people.sort(([, a], [, b]) => most(b, rules) - most(a, rules) || a.minutes - b.minutes || (a.since ?? 0) - (b.since ?? 0) || a.name.localeCompare(b.name));
  const placed: Placed[] = [];
  for (const [n, [key, row]] of people.entries()) {
    const above = placed[n - 1];
    const is_equal = above && most(above.row, rules) === most(row, rules) && above.row.minutes === row.minutes;
    placed.push({ key, row, rank: !above ? rank : is_equal ? above.rank : from + n + 1 });
  }
  return placed;
}

/** What a cell says of a question. */
export type Standing = 'untried' | 'pending' | 'solved' | 'some' | 'tried';

export function stands({ score, points, tries, pending }: WallCell): Standing {
  if (pending) return 'pending';
  if (points > 0 && score >= points) return 'solved';
  if (score > 0) return 'some';
  return tries > 0 ? 'tried' : 'untried';
}

/** The minute at which a question was solved in full; a quiz has none. */
function solved_minute(cell: WallCell): number | null {
  return stands(cell) === 'solved' ? cell.solved_at_min : null;
}

/** Who solved each question in the fewest minutes, by key; of equals who did it first. */
export function firsts(rows: Iterable<[key: string, row: WallRow]>, questions: number): (string | null)[] {
  const first: ({ key: string; minute: number; at: number } | null)[] = Array.from({ length: questions }, () => null);
  for (const [key, row] of rows) {
    for (const [n, cell] of row.questions.entries()) {
      const minute = solved_minute(cell);
      if (minute === null || n >= questions) continue;
      const [before, at] = [first[n], row.started_at + minute * 60_000];
      if (!before || minute < before.minute || (minute === before.minute && at < before.at)) first[n] = { key, minute, at };
    }
  }
  return first.map(one => one?.key ?? null);
}

export type Solved = { key: string; name: string; question: number; tries: number; at: number; is_first: boolean };

/** What was solved last, the latest first. */
export function last_solved(placed: readonly Placed[], first: readonly (string | null)[], count: number): Solved[] {
  const all = placed.flatMap(({ key, row }) =>
    row.questions.flatMap((cell, question) => {
      const minute = solved_minute(cell);
      if (minute === null) return [];
      return [{ key, name: row.name, question, tries: cell.tries, at: row.started_at + minute * 60_000, is_first: first[question] === key }];
    }),
  );
  return all.sort((a, b) => b.at - a.at).slice(0, count);
}

type Window = { opens_at: number | null; closes_at: number | null; time_allowed_ms: number };

/** What the ruler spans: the campaign's window; where it has no edge, from the first start to the last possible end. */
export function span_of({ opens_at, closes_at, time_allowed_ms }: Window, rows: readonly WallRow[], now: number): { from: number; until: number } {
  const starts = rows.map(row => row.started_at);
  const from = Math.min(opens_at ?? Math.min(...starts, now), closes_at ?? Infinity);
  const until = closes_at ?? Math.max(from, ...starts) + time_allowed_ms;
  return { from, until };
}
