/** What the questions of a session look like at a glance: an icon and a word. */
import type { IconName } from '$lib/Icon.svelte';
import type { QuestionRow } from '$lib/wire';

export type Glance = 'passed' | 'some' | 'edited' | 'answered' | 'untouched' | 'over' | 'locked';

export function glance(row: QuestionRow): Glance {
  if (row.state === 'locked') return 'locked';
  if (row.kind === 'quiz') return row.answered ? 'answered' : 'untouched';
  if (row.best && row.best.total > 0 && row.best.passed === row.best.total) return 'passed';
  if (row.runs > 0 && row.best) return 'some';
  return row.answered ? 'edited' : 'untouched';
}

export const GLANCE_ICONS: Record<Glance, IconName> = { passed: 'check', some: 'half', edited: 'edit', answered: 'check', untouched: 'ring', over: 'same', locked: 'lock' };

/** Whether a person may want to look at it before handing in. */
export function is_unfinished(row: QuestionRow): boolean {
  return glance(row) !== 'passed' && glance(row) !== 'answered';
}
