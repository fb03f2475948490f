import type { CandidateRow } from '$lib/wire/CandidateRow';
import type { QuestionHead } from '$lib/wire/QuestionHead';

export const BINS = 10;

/** How many of `scores` fall into each tenth of `points`; the best belong to the last. */
export function histogram(scores: number[], points: number): number[] {
  const bins = Array.from({ length: BINS }, () => 0);
  for (const score of scores) {
    const bin = points > 0 ? Math.min(BINS - 1, Math.floor((score / points) * BINS)) : 0;
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  return bins;
}

export type TagScore = { tag: string; score: number; points: number };

/** Each content tag in the order in which the questions bring it, with what these rows scored on it. */
export function by_tag(questions: QuestionHead[], rows: CandidateRow[]): TagScore[] {
  const found = new Map<string, TagScore>();
  questions.forEach(({ tags }, n) => {
    for (const tag of tags) {
      const sum = found.get(tag) ?? { tag, score: 0, points: 0 };
      for (const { questions } of rows) {
        sum.score += questions[n]?.score ?? 0;
        sum.points += questions[n]?.points ?? 0;
      }
      found.set(tag, sum);
    }
  });
  return [...found.values()];
}

export function percent_of({ score, points }: TagScore): number {
  return points > 0 ? (score / points) * 100 : 0;
}
