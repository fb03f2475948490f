import { beforeEach, expect, test } from 'vitest';
import { language } from '$lib/i18n.svelte';
import type { Receipt } from '$lib/wire';
import { as_text, facts } from './receipt';

beforeEach(() => language.choose('en'));

test('it says when, how long and what was given back', () => {
  expect(facts(RECEIPT).map(([, value]) => value.replaceAll('\u00a0', ' '))).toEqual([
    'Back-end engineers (version 3)',
    '23 November 2026, 14:00:08 (Europe/Paris), 13:00:08 UTC',
    '23 November 2026, 14:55:59 (Europe/Paris), 13:55:59 UTC',
    '55 min 51 s of 60 min 3 s, with 3 s given back for an outage of ours at 14:12',
    '1,284, the last one 14 s before the end',
  ]);
});

test('as a text it holds every fingerprint', () => {
  expect(as_text(RECEIPT)).toContain('   5 of 5, revision 212\n   SHA-256  9f2c');
  expect(as_text(RECEIPT)).toContain('   Not answered, revision 0\n   SHA-256  nothing to fingerprint');
});

const RECEIPT: Receipt = {
  code: 'pc-7f3e-91ca', candidate_name: 'Ioana Ștefănescu', campaign_title: 'Autumn', test_title: 'Back-end engineers', test_version: 3,
  started_at: Date.UTC(2026, 10, 23, 13, 0, 8), ended_at: Date.UTC(2026, 10, 23, 13, 55, 59), handed_in: true, time_used_ms: 3_351_000, time_allowed_ms: 3_603_000,
  credits: [{ from: Date.UTC(2026, 10, 23, 13, 12), to: Date.UTC(2026, 10, 23, 13, 12, 3), ms: 3_000 }],
  edits: 1_284, last_edit_at: Date.UTC(2026, 10, 23, 13, 55, 45), zone: 'Europe/Paris', link_until: null,
  questions: [
    { n: 0, title: 'Ledger lines', passed: 5, total: 5, answered: true, revision: 212, sha256: '9f2c' },
    { n: 1, title: 'HTTP', passed: null, total: null, answered: false, revision: 0, sha256: null },
  ],
};
