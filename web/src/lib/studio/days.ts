/** The ticks and labels of a campaign's window, from a few hours to a year. */
import type { Steps } from '$lib/ruler';

const HOUR = 60;
const DAY = 24 * HOUR;

export function window_steps(minutes: number): Steps {
  if (minutes <= 6 * HOUR) return { each: 5, medium: 15, major: HOUR };
  if (minutes <= 2 * DAY) return { each: HOUR, medium: HOUR, major: 6 * HOUR };
  const days = minutes / DAY;
  if (days <= 24) return { each: DAY, medium: DAY, major: 3 * DAY };
  if (days <= 70) return { each: DAY, medium: 7 * DAY, major: 7 * DAY };
  return { each: 7 * DAY, medium: 28 * DAY, major: 56 * DAY };
}

/** Where labels stand, in per cent: at the long ticks, clear of both ends and of `now`. */
export function label_places(minutes: number, now: number | undefined): number[] {
  const { major } = window_steps(minutes);
  const places: number[] = [];
  for (let at = major; at < minutes; at += major) {
    const place = (at / minutes) * 100;
    const is_clear = place > 16 && place < 76 && (now === undefined || Math.abs(place - now) > 6);
    if (is_clear) places.push(place);
  }
  const every = Math.ceil(places.length / 8) || 1;
  return places.filter((_, i) => i % every === 0);
}
