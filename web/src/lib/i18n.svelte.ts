export type Locale = 'en' | 'fr';
export const LOCALES: readonly Locale[] = ['en', 'fr'];
export const LOCALE_NAMES: Record<Locale, string> = { en: 'English', fr: 'Français' };

const KEPT = 'polycode.locale';

class Language {
  #locale: Locale = $state(preferred());

  get locale(): Locale {
    return this.#locale;
  }

  choose(locale: Locale): void {
    this.#locale = locale;
    globalThis.localStorage?.setItem(KEPT, locale);
  }
}

export const language = new Language();

/** A dictionary in both languages. The French one must have the very keys of the English one. */
export function words<T>(en: T, fr: NoInfer<T>): (() => T) & { en: T; fr: T } {
  const spaced = french(fr);
  return Object.assign(() => (language.locale === 'fr' ? spaced : en), { en, fr: spaced });
}

/** French keeps a thin no-break space before `;`, `!`, `?` and `»`, a no-break one before `:` and after `«`. */
export function french<T>(words: T): T {
  if (typeof words === 'string') return words.replace(/ ([;!?])/g, '\u202f$1').replace(/ ([:»])/g, '\u00a0$1').replace(/« /g, '«\u00a0') as T;
  if (typeof words === 'function') return ((...args: unknown[]) => french((words as (...args: unknown[]) => unknown)(...args))) as T;
  if (typeof words !== 'object' || words === null) return words;
  if (Array.isArray(words)) return words.map(french) as T;
  return Object.fromEntries(Object.entries(words).map(([key, value]) => [key, french(value)])) as T;
}

function preferred(): Locale {
  const kept = globalThis.localStorage?.getItem(KEPT);
  if (kept === 'en' || kept === 'fr') return kept;
  const wanted = globalThis.navigator?.languages ?? [];
  return wanted.map(tag => tag.slice(0, 2)).find((tag): tag is Locale => tag === 'en' || tag === 'fr') ?? 'en';
}
