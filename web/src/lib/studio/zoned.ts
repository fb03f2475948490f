/** Moments as people write them in a named zone: `2026-11-16T09:00`, the value of a `datetime-local`. */
const formatters = new Map<string, Intl.DateTimeFormat>();

export function to_local(at: number | null, zone: string): string {
  if (at === null) return '';
  const { year, month, day, hour, minute } = parts(at, zone);
  return `${year}-${month}-${day}T${hour}:${minute}`;
}

/** `null` for nothing; what the zone skips when clocks go forward is an hour later. */
export function from_local(text: string, zone: string): number | null {
  if (!text) return null;
  const wanted = Date.parse(`${text.slice(0, 16)}:00Z`);
  if (Number.isNaN(wanted)) return null;
  const first = wanted - offset(wanted, zone);
  return wanted - offset(first, zone);
}

/** This device's zone. */
export function own_zone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** All zones that the browser knows, with `also` among them. */
export function zones(also: string): string[] {
  return [...new Set([...Intl.supportedValuesOf('timeZone'), 'UTC', also])].sort();
}

function offset(at: number, zone: string): number {
  const { year, month, day, hour, minute, second } = parts(at, zone);
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second)) - Math.floor(at / 1_000) * 1_000;
}

function parts(at: number, zone: string): Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second', string> {
  let formatter = formatters.get(zone);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat('en-GB', { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZone: zone });
    formatters.set(zone, formatter);
  }
  const found = { year: '', month: '', day: '', hour: '', minute: '', second: '' };
  for (const { type, value } of formatter.formatToParts(at)) if (type in found) found[type as keyof typeof found] = value;
  return found;
}
