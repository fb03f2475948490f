/** The order of a wall, and what is told beside it. */
import type { WallRow } from '$lib/wire';

export type Placed = { key: string; rank: number; row: WallRow };

/** By score, then by minutes, then by name; equal score and minutes share a rank. */
export function standing(rows: Iterable<[key: string, row: WallRow]>): Placed[] {
  const sorted = [...rows].sort(([, a], [, b]) => b.score - a.score || a.minutes - b.minutes || a.name.localeCompare(b.name));
  const placed: Placed[] = [];
  for (const [index, [key, row]] of sorted.entries()) {
    const above = placed.at(-1);
    const tied = above && above.row.score === row.score && above.row.minutes === row.minutes;
    placed.push({ key, row, rank: tied ? above.rank : index + 1 });
  }
  return placed;
}

/** The minute at which each question was first solved. */
export function firsts(rows: Iterable<WallRow>, questions: number): (number | null)[] {
  const first = Array.from({ length: questions }, (): number | null => null);
  for (const row of rows) {
    for (const [n, cell] of row.questions.entries()) {
      const minute = cell.solved_at_min;
      if (minute !== null && (first[n] ?? Infinity) > minute) first[n] = minute;
    }
  }
  return first;
}

export type Solved = { key: string; name: string; question: number; tries: number; minute: number; at: number | null; is_first: boolean };

/** What was solved last, the latest first. */
export function last_solved(placed: readonly Placed[], first: readonly (number | null)[], count: number): Solved[] {
  const all = placed.flatMap(({ key, row }) =>
    row.questions.flatMap((cell, question) => {
      const minute = cell.solved_at_min;
      if (minute === null) return [];
      const at = row.started_at === null ? null : row.started_at + minute * 60_000;
      return [{ key, name: row.name, question, tries: cell.tries, minute, at, is_first: first[question] === minute }];
    }),
  );
  return all.sort((a, b) => (b.at ?? b.minute) - (a.at ?? a.minute)).slice(0, count);
}
