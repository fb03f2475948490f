import type { Page } from '@playwright/test';
import { ask } from './server';

export type Seat = { name: string; session: string; link: { code: string } };

/** A campaign of one short program and one quiz, made over the interface: what most tests start from. `edit` may change the program before it is in use. */
export async function make_room(page: Page, names: string[], settings: Record<string, unknown> = {}, edit?: (content: string) => Promise<void>): Promise<{ campaign: string; seats: Seat[] }> {
  const origin = new URL(page.url()).origin;
  const blob = async (text: string) => {
    const answer = await page.request.post(`${origin}/api/v1/blobs`, { data: text, headers: { 'content-type': 'application/octet-stream' } });
    return (await answer.json()) as unknown;
  };
  const validator = async (name: string, input: string, expected: string, shown: boolean) => ({ name, input: await blob(input), expected: await blob(expected), shown, weight: 1, group: null, comparison: null });
  const limits = { cpu_ms: 2_000, wall_ms: 6_000, memory_bytes: 256 << 20, processes: 32, output_bytes: 1 << 20, disk_bytes: 1 << 20 };
  const comparison = { case_sensitive: false, space_change_sensitive: false, float_absolute: null, float_relative: null };
  const validators = [await validator('Example', '2 3\n', '5\n', true), await validator('Large', '400 600\n', '1000\n', false)];
  const code = { type: 'code', languages: ['python', 'c'], starters: [], solution: null, limits, comparison, validators, groups: [], judging: { type: 'compare' } };
  const quiz = { type: 'quiz', choices: [{ text: 'Yes', right: true }, { text: 'No', right: false }], several: false, partial: false };
  const content = (title: string, statement: string, component: unknown) => ask<{ id: string }>(page, 'POST', 'contents', { document: { title, statement, tags: ['sums'], component, repairs: [], assumed: [] } });
  const sum = await content('The sum', 'Print $a + b$.\n\n## Input\n\nTwo numbers.', code);
  await edit?.(sum.id);
  const question = await content('Is it so?', 'Choose one.', quiz);
  const questions = [sum, question].map(({ id }, n) => ({ content: id, version: 1, points: n === 0 ? 20 : 10, limit: null }));
  const made = await ask<{ id: string }>(page, 'POST', 'tests', { document: { title: 'Sums', time_allowed: 3_600_000, questions } });
  const all = { title: 'Autumn relay', zone: 'Europe/Paris', opens_at: null, closes_at: null, time_allowed: 3_600_000, allow_small_screen: false, wall: 'initials', ...settings };
  const { id: campaign } = await ask<{ id: string }>(page, 'POST', 'campaigns', { settings: all, test: { id: made.id } });
  const candidates = names.map((name, n) => ({ name, email: `candidate${n}@kallsvik.example`, tags: [n % 2 ? 'Lyon' : 'Remote'] }));
  const { added } = await ask<{ added: Seat[] }>(page, 'POST', `campaigns/${campaign}/candidates`, { candidates });
  return { campaign, seats: added };
}
