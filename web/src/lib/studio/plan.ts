import type { Question } from '$lib/wire/Question';
import type { Test } from '$lib/wire/Test';

export type Span = { from: number; to: number; minutes: number };

export function is_linear(test: Test): boolean {
  return test.questions.some(question => question.limit !== null);
}

export function points_of(test: Test): number {
  return Math.round(test.questions.reduce((sum, question) => sum + question.points, 0) * 100) / 100;
}

/** How the time is shared out, in per cent of it: by each question's own limit, or else by points. */
export function spans(test: Test): Span[] {
  const total = test.time_allowed / 60_000;
  const weights = shares(test, total);
  const sum = Math.max(total, weights.reduce((all, one) => all + one, 0));
  let at = 0;
  return weights.map(minutes => {
    const from = at;
    at += minutes;
    return { from: (from / sum) * 100, to: (at / sum) * 100, minutes };
  });
}

function shares({ questions }: Test, total: number): number[] {
  const limited = questions.reduce((sum, question) => sum + (question.limit ?? 0), 0) / 60_000;
  const free = questions.filter(question => question.limit === null);
  const points = free.reduce((sum, question) => sum + question.points, 0);
  const rest = Math.max(0, total - limited);
  const share = (question: Question) => (points > 0 ? (question.points / points) * rest : rest / free.length);
  return questions.map(question => (question.limit === null ? share(question) : question.limit / 60_000));
}

/** The list with the item at `from` moved to `to`. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const next = [...list];
  const [item] = next.splice(from, 1);
  if (item !== undefined) next.splice(to, 0, item);
  return next;
}
