/** The receipt in words: for the page, and as a text to keep. */
import { date, duration, time, time_in_zone } from '$lib/format';
import type { Receipt, ReceiptQuestion } from '$lib/wire';
import { sit } from '$lib/words/sit';

export function facts(receipt: Receipt): [name: string, value: string][] {
  const t = sit().receipt;
  const credited = receipt.credits.reduce((sum, credit) => sum + credit.ms, 0);
  const first = receipt.credits[0];
  const used = t.used_of(duration(receipt.time_used_ms), duration(receipt.time_allowed_ms));
  const given_back = first ? `, ${t.credited(duration(credited), time(first.from, receipt.zone))}` : '';
  const before_end = receipt.last_edit_at === null ? null : duration(receipt.ended_at - receipt.last_edit_at);
  return [
    [t.test, t.version(receipt.test_title, receipt.test_version)],
    [t.started, instant(receipt.started_at, receipt.zone)],
    [receipt.handed_in ? t.ended : t.ended_by_time, instant(receipt.ended_at, receipt.zone)],
    [t.used, used + given_back],
    [t.edits, t.edits_last(receipt.edits, before_end)],
  ];
}

export function result(question: ReceiptQuestion): string {
  const t = sit().receipt;
  if (!question.answered) return t.not_answered;
  if (question.passed === null || question.total === null) return question.total === null ? t.answered : t.judging;
  return t.of(question.passed, question.total);
}

export function as_text(receipt: Receipt): string {
  const t = sit().receipt;
  const pairs = facts(receipt);
  const width = Math.max(...pairs.map(([name]) => name.length)) + 2;
  const head = [`Polycode  ${receipt.code}`, receipt.handed_in ? t.handed_in : t.time_up, t.title(receipt.candidate_name), receipt.campaign_title, ''];
  const body = pairs.map(([name, value]) => name.padEnd(width) + value);
  const questions = receipt.questions.flatMap(one => [
    '',
    `${one.n + 1}. ${one.title}`,
    `   ${result(one)}, ${t.revision.toLowerCase()} ${one.revision}`,
    `   SHA-256  ${one.sha256 ?? t.nothing}`,
  ]);
  return [...head, ...body, '', t.caption, ...questions, ''].join('\n');
}

function instant(at: number, zone: string): string {
  return sit().receipt.instant(date(at, zone), time_in_zone(at, zone, true), time(at, 'UTC', true));
}
