import { api } from '$lib/api';
import type { Language } from '$lib/wire/Language';

/** What this server can run, each with its version as people read it. */
export async function offered_languages(): Promise<Map<Language, string>> {
  const { languages } = await api<{ languages: { language: Language; version: string }[] }>('languages');
  return new Map(languages.map(({ language, version }) => [language, version]));
}
