import { main_file } from '$lib/languages';
import type { Language } from '$lib/wire/Language';
import type { SourceFile } from '$lib/wire/SourceFile';
import { studio } from '$lib/words/studio';

export function free_name(language: Language, files: SourceFile[]): string {
  for (let n = 2; ; n += 1) {
    const name = files.length === 0 ? main_file(language) : `part${n}${main_file(language).slice(4)}`;
    if (!files.some(file => file.name === name)) return name;
  }
}

export function file_name_problem(name: string, files: SourceFile[]): string | undefined {
  const is_allowed = /^[A-Za-z\d_][A-Za-z\d._-]{0,63}$/.test(name);
  return is_allowed && files.filter(file => file.name === name).length === 1 ? undefined : studio().problem.bad_file_name;
}
