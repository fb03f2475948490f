/** Numbers, times and sizes in the person's language, by Intl alone. */
import { language, type Locale } from './i18n.svelte';

const NBSP = '\u00a0';
const cache = new Map<string, Intl.DateTimeFormat>();

function formatter(locale: Locale, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale + JSON.stringify(options);
  let found = cache.get(key);
  if (!found) cache.set(key, (found = new Intl.DateTimeFormat(tag(locale), options)));
  return found;
}

function tag(locale: Locale): string {
  return locale === 'fr' ? 'fr-FR' : 'en-GB';
}

/** "1,284", "1 284". */
export function number(value: number, digits = 0): string {
  return value.toLocaleString(tag(language.locale), { maximumFractionDigits: digits });
}

/** "17:00", "17 h 00"; with seconds "14:00:08", "14 h 00 min 08 s". */
export function time(at: number, zone: string, seconds = false): string {
  const locale = language.locale;
  const parts = formatter(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZone: zone }).formatToParts(at);
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find(p => p.type === type)?.value ?? '';
  if (locale === 'en') return [part('hour'), part('minute'), ...(seconds ? [part('second')] : [])].join(':');
  const short = `${part('hour')}${NBSP}h${NBSP}${part('minute')}`;
  return seconds ? `${short}${NBSP}min${NBSP}${part('second')}${NBSP}s` : short;
}

/** The zone as people name it: "Europe/Paris", "heure de Paris". */
export function zone_name(zone: string): string {
  return language.locale === 'fr' && zone === 'Europe/Paris' ? 'heure de Paris' : zone;
}

/** "17:00 (Europe/Paris)": the first time that a page shows a time. */
export function time_in_zone(at: number, zone: string, seconds = false): string {
  return `${time(at, zone, seconds)} (${zone_name(zone)})`;
}

/** "23 November 2026"; without the year if it is this one and `short`. */
export function date(at: number, zone: string): string {
  return formatter(language.locale, { day: 'numeric', month: 'long', year: 'numeric', timeZone: zone }).format(at).replace(' ', NBSP);
}

/** "Monday 23 November". */
export function weekday(at: number, zone: string): string {
  return formatter(language.locale, { weekday: 'long', day: 'numeric', month: 'long', timeZone: zone }).format(at).replace(',', '');
}

/** Whether two instants fall on one day in `zone`. */
export function same_day(a: number, b: number, zone: string): boolean {
  const day = formatter('en', { year: 'numeric', month: '2-digit', day: '2-digit', timeZone: zone });
  return day.format(a) === day.format(b);
}

/** "23:41", "83:41", from a hundred minutes on "1:43:41"; under ten seconds "00:07.4". Rounded up, so that it shows zero only when it is. */
export function countdown(ms: number): string {
  if (ms > 0 && ms <= 9_900) {
    const tenths = Math.ceil(ms / 100);
    return `00:0${Math.floor(tenths / 10)}.${tenths % 10}`;
  }
  const total = Math.ceil(ms / 1_000);
  const two = (value: number) => String(value).padStart(2, '0');
  const long = total >= 6_000;
  const [hours, minutes, seconds] = [long ? Math.floor(total / 3_600) : 0, Math.floor(total / 60) % (long ? 60 : 100), total % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${two(minutes)}:${two(seconds)}`;
}

/** "55 min 51 s", "60 min 3 s", "3 s"; from a hundred minutes on "1 h 42 min". */
export function duration(ms: number): string {
  const total = Math.round(Math.abs(ms) / 1_000);
  const long = total >= 6_000;
  const [hours, minutes, seconds] = [long ? Math.floor(total / 3_600) : 0, Math.floor(total / 60) % (long ? 60 : 100), total % 60];
  const parts = [
    ...(hours ? [`${hours}${NBSP}h`] : []),
    ...(minutes ? [`${minutes}${NBSP}min`] : []),
    ...((seconds && !hours) || total === 0 ? [`${seconds}${NBSP}s`] : []),
  ];
  return parts.join(' ');
}

/** Time used, as a large figure: whole minutes, under ten of them with seconds, and what is said after it. */
export function used_of(ms: number, allowed: number): { figure: string; unit: string } {
  const all = `${number(allowed / 60_000)}${NBSP}min`;
  return ms < 600_000 ? { figure: duration(ms), unit: all } : { figure: number(ms / 60_000), unit: all };
}

/** "14 ms", "2.00 s", "2,00 s". */
export function milliseconds(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}${NBSP}ms`;
  const seconds = (ms / 1_000).toLocaleString(tag(language.locale), { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return `${seconds}${NBSP}s`;
}

/** "9.1 MiB", "9,1 Mio". */
export function bytes(value: number): string {
  const units = language.locale === 'fr' ? ['o', 'Kio', 'Mio', 'Gio'] : ['B', 'KiB', 'MiB', 'GiB'];
  const step = Math.min(units.length - 1, value > 0 ? Math.floor(Math.log2(value) / 10) : 0);
  const scaled = value / 1_024 ** step;
  return `${number(scaled, scaled < 10 && step > 0 ? 1 : 0)}${NBSP}${units[step]}`;
}

/** "21 November 2026 at 17:00 (Europe/Paris)". */
export function date_time(at: number, zone: string): string {
  return `${date(at, zone)} ${language.locale === 'fr' ? 'à' : 'at'} ${time_in_zone(at, zone)}`;
}

/** "at 17:00 (Europe/Paris)" today, else "on Monday 23 November at 17:00 (Europe/Paris)". */
export function when(at: number, now: number, zone: string): string {
  const [fr, clock] = [language.locale === 'fr', time_in_zone(at, zone)];
  if (same_day(at, now, zone)) return fr ? `à ${clock}` : `at ${clock}`;
  return fr ? `${weekday(at, zone)} à ${clock}` : `on ${weekday(at, zone)} at ${clock}`;
}

/** Sets the number of "256 MiB" in bold, as `Rich` reads it. */
export function bold_number(text: string): string {
  const [value, ...unit] = text.split(NBSP);
  return `**${value}**${NBSP}${unit.join(NBSP)}`;
}
