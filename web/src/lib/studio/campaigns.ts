import type { CampaignRow } from '$lib/wire/CampaignRow';
import type { CandidateRow } from '$lib/wire/CandidateRow';
import type { QuestionHead } from '$lib/wire/QuestionHead';
import type { Status } from '$lib/wire/Status';

export type LinkView = { code: string; expires_at: number | null; revoked: boolean };
export type CandidateView = { session: string; name: string; email: string; alias: string; tags: string[]; link: LinkView | null; row: CandidateRow | null };
export type CampaignAnswer = { campaign: CampaignRow; candidates: CandidateView[]; wall: { code: string } | null; now: number };
export type CampaignState = 'before' | 'open' | 'closed' | 'paused' | 'archived';

export function state_of({ settings, is_paused, is_archived }: CampaignRow, now: number): CampaignState {
  if (is_archived) return 'archived';
  if (settings.closes_at !== null && settings.closes_at <= now) return 'closed';
  if (is_paused) return 'paused';
  return settings.opens_at !== null && settings.opens_at > now ? 'before' : 'open';
}

export function status_of({ row }: CandidateView): Status {
  return row?.status ?? 'confirmation_pending';
}

export function has_started(status: Status): boolean {
  return status === 'test_in_process' || status === 'test_finished';
}

/** Who has said yes, or gone further. */
export function has_confirmed(status: Status): boolean {
  return status === 'confirmed' || status === 'test_opened' || has_started(status);
}

/** All points of the test. */
export function points_of(questions: QuestionHead[]): number {
  return Math.round(questions.reduce((sum, question) => sum + question.points, 0) * 100) / 100;
}

/** How long a finished candidate sat, without pauses, credits and gifts. */
export function time_used(row: CandidateRow): number | undefined {
  if (row.started_at === null || row.sealed_at === null || row.ends_at === null) return undefined;
  const left = Math.max(0, row.ends_at - row.sealed_at);
  return Math.max(0, row.time_allowed_ms - left);
}
