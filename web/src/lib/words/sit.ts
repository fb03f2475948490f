import { words } from '$lib/i18n.svelte';
import { before } from './sit/before';
import { en_count, fr_count } from './sit/count';
import { desk } from './sit/desk';
import { door } from './sit/door';
import { end } from './sit/end';
import { place } from './sit/place';

/** Words of the candidate's pages, each in a file of its own under `sit/`. */
export const sit = words(
  {
    minutes: (count: number) => en_count(count, 'minute', 'minutes'),
    questions_points: (questions: number, points: number) => `${en_count(questions, 'question', 'questions')}, ${en_count(points, 'point', 'points')}`,
    ...door.en,
    ...before.en,
    ...desk.en,
    ...end.en,
    ...place.en,
  },
  {
    minutes: count => fr_count(count, 'minute', 'minutes'),
    questions_points: (questions, points) => `${fr_count(questions, 'question', 'questions')}, ${fr_count(points, 'point', 'points')}`,
    ...door.fr,
    ...before.fr,
    ...desk.fr,
    ...end.fr,
    ...place.fr,
  },
);

/** Why something was refused, in the person's language if the code is known. */
export function refusal_text(why: { code: string; text: string }): string {
  return sit().refusals[why.code] ?? why.text;
}
