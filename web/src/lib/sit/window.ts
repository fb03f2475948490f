/** How much time a candidate would have, were they to start now. */

const MINUTE_MS = 60_000;

export type TimeWindow = {
  /** Whole minutes that they would have, and those of the test. */
  minutes: number;
  full: number;
  /** Whether the close of the campaign takes some away. */
  is_cut: boolean;
  /** The last moment at which to start and have all of them. */
  latest_start: number | null;
  state: 'before' | 'open' | 'closed';
};

export function time_window(now: number, opens_at: number, closes_at: number | null, allowed_ms: number): TimeWindow {
  const from = Math.max(now, opens_at);
  const left_ms = closes_at === null ? allowed_ms : Math.min(allowed_ms, Math.max(0, closes_at - from));
  const [minutes, full] = [Math.floor(left_ms / MINUTE_MS), Math.round(allowed_ms / MINUTE_MS)];
  const state = closes_at !== null && now >= closes_at ? 'closed' : now < opens_at ? 'before' : 'open';
  return { minutes, full, is_cut: minutes < full, latest_start: closes_at === null ? null : closes_at - allowed_ms, state };
}
