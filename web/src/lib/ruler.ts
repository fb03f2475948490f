/** How far apart ticks stand, in minutes: each one, a longer one, the longest. */
export type Steps = { each: number; medium: number; major: number };

/** Steps that stay readable at any length. */
export function steps(minutes: number): Steps {
  if (minutes <= 90) return { each: 1, medium: 5, major: 15 };
  if (minutes <= 240) return { each: 1, medium: 10, major: 30 };
  if (minutes <= 1_440) return { each: 15, medium: 60, major: 240 };
  return { each: 720, medium: 1_440, major: 10_080 };
}

/** All ticks as one path in a box of `minutes` by 12. */
export function ticks(minutes: number, { each, medium, major }: Steps): string {
  let path = '';
  for (let at = 0; at <= minutes + 1e-9; at += each) {
    const top = at % major === 0 ? '0' : at % medium === 0 ? '4.6' : '8.4';
    path += `M${at} 12V${top}`;
  }
  return path;
}

/** Where `at` stands between `from` and `to`, in per cent, kept inside. */
export function percent(at: number, from: number, to: number): number {
  if (to <= from) return 0;
  return Math.min(100, Math.max(0, ((at - from) / (to - from)) * 100));
}
