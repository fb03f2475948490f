import { api } from '$lib/api';
import type { Content } from '$lib/wire/Content';
import type { ListRow } from '$lib/wire/ListRow';
import type { Test } from '$lib/wire/Test';

export type Shelf = 'contents' | 'tests';

export async function list(shelf: Shelf): Promise<ListRow[]> {
  const answer = await api<Partial<Record<Shelf, ListRow[]>>>(shelf);
  return answer[shelf] ?? [];
}

export async function set_archived(shelf: Shelf, id: string, is_archived: boolean): Promise<void> {
  await api(`${shelf}/${id}/${is_archived ? 'archive' : 'restore'}`, { method: 'POST', body: {} });
}

export async function create(shelf: Shelf, document: Content | Test): Promise<string> {
  const { id } = await api<{ id: string }>(shelf, { method: 'POST', body: { document } });
  return id;
}

export function new_content(kind: 'quiz' | 'code', title: string): Content {
  const common = { title, statement: '', tags: [], repairs: [], assumed: [] };
  if (kind === 'quiz') {
    const choice = { text: '', right: false };
    return { ...common, component: { type: 'quiz', choices: [{ ...choice, right: true }, { ...choice }], several: false, partial: false } };
  }
  const limits = { cpu_ms: 2_000, wall_ms: 6_000, memory_bytes: 256 * 2 ** 20, processes: 32, output_bytes: 8 * 2 ** 20, disk_bytes: 16 * 2 ** 20 };
  const comparison = { case_sensitive: false, space_change_sensitive: false, float_absolute: null, float_relative: null };
  return { ...common, component: { type: 'code', languages: ['python'], starters: [], solution: null, limits, comparison, validators: [], groups: [], judging: { type: 'compare' } } };
}

export function new_test(title: string): Test {
  return { title, time_allowed: 60 * 60_000, questions: [] };
}

/** The rows whose title or tags hold every word of `text`. */
export function find(rows: ListRow[], text: string): ListRow[] {
  const wanted = text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter(({ summary }) => {
    const hay = [summary.title, ...summary.tags].join(' ').toLocaleLowerCase();
    return wanted.every(word => hay.includes(word));
  });
}
