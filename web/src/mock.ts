/** A made-up server for pages under development: one candidate, four questions, scenes by name. */
import type { ClientFrame, FilesAnswer, LinkAnswer, PracticeQuestion, Question, QuestionRow, Receipt, ResultRow, Row, RunRow, ServerFrame, SessionCommand, SessionRow, Status, WallRow } from '$lib/wire';

const MINUTE = 60_000;
const now = Date.now();
const CODE = 'import sys\nfrom berths import Berths\n\n\ndef main() -> None:\n    data = sys.stdin.buffer.read().split()\n    n, k = int(data[0]), int(data[1])\n    berths = Berths(k)\n    last, longest = 0, 0\n\n    for i in range(n):\n        arrival, stay = int(data[2 + 2 * i]), int(data[3 + 2 * i])\n        free = berths.first_free()\n        wait = max(0, free - arrival)\n        leave = free + stay\n        berths.take_until(leave)\n        last = max(last, leave)\n        longest = max(longest, wait)\n\n    print(last, longest)\n\n\nmain()\n';
const STATEMENT = 'The harbour of Kallsvik has $k$ berths. Tonight $n$ ferries come in, in the order given. Ferry $i$ arrives at minute $a_i$ and stays at its berth for $d_i$ minutes. A ferry always takes the berth that is free first, and waits outside if none is. Nobody overtakes.\n\nWhen does the last ferry leave, and how long was the longest wait?\n\n### Input\n\nThe first line holds $n$ and $k$. Each of the next $n$ lines holds $a_i$ and $d_i$, with arrivals in rising order.\n\n- $1 \\le n \\le 200{,}000$, $1 \\le k \\le n$\n- $0 \\le a_i, d_i \\le 10^9$\n\n### Output\n\nOne line with two numbers: the minute at which the last ferry leaves, and the longest wait in minutes.';
const VALIDATORS = [
  { name: 'Example 1', shown: true, weight: 1, input: '4 2\n0 30\n5 10\n10 20\n12 5\n', expected: '35 18\n' },
  { name: 'Example 2', shown: true, weight: 1, input: '3 1\n0 10\n25 5\n26 10\n', expected: '40 4\n' },
  { name: 'One berth', shown: false, weight: 1 },
  { name: 'Everybody at once', shown: false, weight: 1 },
  { name: 'Long gaps', shown: false, weight: 2 },
  { name: '200,000 ferries', shown: false, weight: 4 },
];
const LIMITS = { cpu_ms: 2_000, wall_ms: 6_000, memory_bytes: 256 << 20, processes: 32, output_bytes: 8 << 20, disk_bytes: 16 << 20 };
const LANGUAGES = [{ language: 'python' as const, version: '3.13' }, { language: 'c' as const, version: '23' }, { language: 'cpp' as const, version: '23' }, { language: 'javascript' as const, version: '22' }];
const CODE_COMPONENT = { type: 'code' as const, languages: LANGUAGES, limits: LIMITS, validators: VALIDATORS };
const TITLES = ['Ledger lines', 'The night ferry', 'Two caches', 'What does HTTP promise?'];

const results: ResultRow[] = [
  { validator: 0, shown: true, name: 'Example 1', verdict: 'accepted', cpu_ms: 12, memory_bytes: 9_400_000, stdout: '35 18\n', detail: '', stderr: '' },
  { validator: 1, shown: true, name: 'Example 2', verdict: 'wrong_answer', cpu_ms: 14, wall_ms: 20, memory_bytes: 9_540_000, detail: 'Wrong answer on line 1', stdout: '25 0\n', stderr: 'ferry 2: arrives 25, berth free since 10, leaves 15\nferry 3: arrives 26, berth free since 15, leaves 25\n' },
  { validator: 2, shown: false, name: 'One berth', verdict: 'accepted' },
  { validator: 3, shown: false, name: 'Everybody at once', verdict: 'accepted' },
  { validator: 4, shown: false, name: 'Long gaps', verdict: 'rejected' },
];

type Scene = { offline?: true; session: Partial<SessionRow>; questions?: Partial<QuestionRow>[]; link?: Partial<LinkAnswer> };

const running = (left: number, rest: Partial<SessionRow> = {}): Scene => ({ session: { status: 'test_in_process', started_at: now + left - 60 * MINUTE, ends_at: now + left, seat: 'mine', current: 1, ...rest } });
const at = (status: Status, rest: Partial<SessionRow> = {}): Scene => ({ session: { status, ...rest } });

const SCENES: Record<string, Scene> = {
  invited: at('test_sent'),
  confirm: at('confirmation_pending', { opens_at: now + 90 * MINUTE }),
  declined: at('declined'),
  waiting: at('test_opened', { opens_at: now + 12 * MINUTE }),
  start: at('test_opened', { closes_at: now + 40 * MINUTE + 4_000 }),
  full: at('test_opened'),
  sit: running(23 * MINUTE + 41_000, { credits: [{ from: now - 20 * MINUTE, to: now - 20 * MINUTE + 3_000, ms: 3_000 }] }),
  end: running(4 * MINUTE + 12_000),
  last: running(9_000),
  offline: { ...running(23 * MINUTE), offline: true },
  paused: running(23 * MINUTE, { paused_at: now - MINUTE, announcement: { text: 'In question 2, berths are numbered from 1.', at: now - 3 * MINUTE } }),
  seat: running(23 * MINUTE, { seat: 'another' }),
  linear: { ...running(23 * MINUTE, { linear: true }), questions: [{ state: 'sealed' }, { ends_at: now + 8 * MINUTE, limit_ms: 15 * MINUTE }, { state: 'locked', title: null }, { state: 'locked', title: null }] },
  quiz: running(23 * MINUTE, { current: 3 }),
  small: running(23 * MINUTE, { allow_small_screen: false }),
  timeup: running(-2_000, { time_up_at: now - 2_000 }),
  receipt: at('test_finished', { handed_in: true, sealed_at: now - MINUTE }),
  expired: { session: {}, link: { state: 'expired', expires_at: now - 1440 * MINUTE } },
  revoked: { session: {}, link: { state: 'revoked' } },
  unknown: { session: {}, link: { state: 'unknown' } },
};

export function pretend(name: string): void {
  const scene = SCENES[name] ?? SCENES.sit!;
  if (name !== 'invited' && !scene.link) sessionStorage.setItem(`polycode.opened.${location.pathname.split('/')[2]}`, '1');
  sessionStorage.setItem('polycode.seat', 'mine');
  globalThis.fetch = ask_of(scene) as typeof fetch;
  globalThis.WebSocket = socket_of(scene) as unknown as typeof WebSocket;
}

function session_row(scene: Scene): SessionRow {
  return {
    status: 'test_sent', campaign_title: 'Back-end engineers, autumn', test_title: 'Back-end engineers', candidate_name: 'Amélie Rakotomalala', opens_at: now - 60 * MINUTE, closes_at: now + 300 * MINUTE,
    zone: 'Europe/Paris', time_allowed_ms: 60 * MINUTE, extra_ms: 0, linear: false, questions: 4, points: 100, started_at: null, ends_at: null, time_up_at: null, sealed_at: null, handed_in: false, paused_at: null,
    current: 0, seat: null, credits: [], allow_small_screen: true, announcement: null, preview: false, edits: 12, ...scene.session,
  };
}

function question_rows(scene: Scene): Row[] {
  const base = { tags: ['queues', 'heaps'], limit_ms: null, state: 'open' as const, ends_at: null, answered: false, changed_since_run: false, language: null, choices: null };
  const rows: QuestionRow[] = [
    { ...base, n: 0, title: TITLES[0]!, points: 20, kind: 'code', edited: true, runs: 2, best: { passed: 5, total: 5, score: null } },
    { ...base, n: 1, title: TITLES[1]!, points: 30, kind: 'code', edited: true, runs: 3, best: { passed: 3, total: 6, score: null }, changed_since_run: true },
    { ...base, n: 2, title: TITLES[2]!, points: 30, kind: 'code', edited: true, runs: 0, best: null },
    { ...base, n: 3, title: TITLES[3]!, points: 20, kind: 'quiz', edited: false, runs: 0, best: null },
  ];
  return rows.map((row, n) => ({ key: `question.${n}`, value: { ...row, ...scene.questions?.[n] } }));
}

function run_rows(scene: Scene): Row[] {
  const started = scene.session.started_at;
  if (started == null) return [];
  const run = (id: string, minute: number, passed: number, question: number, rest: Partial<RunRow> = {}): Row => ({
    key: `run.${id}`,
    value: { submission: id, question, kind: 'all', language: 'python', at: started + minute * MINUTE, state: 'judged', place: null, revision: 9, passed, total: 6, results: [], compiled: true, compiler_output: '', ...rest } satisfies RunRow,
  });
  return [run('a', 9, 2, 0), run('b', 17, 6, 0), run('c', 29, 3, 1), run('d', 35, 3, 1, { state: 'running', passed: null, results })];
}

function wall_rows(): Row[] {
  const names = ['Linnéa Å.', 'Søren K.', 'Ioana Ș.', 'Priya R.', 'Kwame B.', 'Haruka T.', 'Léa D.-M.', 'Gaëtan L. F.', 'Élodie R.', 'Tomás Ó B.', 'Aroha N.', 'Bálint S.', 'Mei-Ling Z.'];
  return names.map((name, i) => {
    const solved = Math.max(0, 4 - Math.floor(i / 3));
    const questions = TITLES.map((_, n) => (n < solved ? { score: 25, points: 25, tries: 1 + ((i + n) % 3), solved_at_min: 8 + 11 * n + i } : { score: n === solved ? 10 : 0, points: 25, tries: n === solved ? 2 : 0, solved_at_min: null }));
    return { key: `c${i}`, value: { name, score: questions.reduce((sum, one) => sum + one.score, 0), solved, minutes: 40 + i * 7, questions, started_at: now - 50 * MINUTE, finished: i === 2 } satisfies WallRow };
  });
}

function ask_of(scene: Scene) {
  return async (url: string): Promise<Response> => {
    await new Promise(resolve => setTimeout(resolve, 30));
    const row = session_row(scene);
    const path = url.replace('/api/v1/', '');
    const reply = (value: unknown) => new Response(JSON.stringify(value));
    if (path.endsWith('/open')) return reply({ session: '1' });
    if (path.startsWith('links/')) return reply({ state: 'ready', session: '1', status: row.status, campaign_title: row.campaign_title, candidate_name: row.candidate_name, creator_name: 'Inès Carvalho', test_title: row.test_title, opens_at: row.opens_at, closes_at: row.closes_at, zone: row.zone, time_allowed_ms: row.time_allowed_ms, questions: 4, points: 100, ...scene.link } satisfies LinkAnswer);
    if (path.startsWith('walls/')) return reply({ campaign: '1', title: 'Autumn relay', zone: 'Europe/Paris', questions: TITLES.map(title => ({ title, points: 25 })), opens_at: now - 60 * MINUTE, closes_at: now + 22 * MINUTE, time_allowed_ms: 60 * MINUTE });
    if (path.endsWith('/files')) return reply({ files: [{ question: 1, language: 'python', name: 'main.py', rev: 7, text: CODE, caret: 360, deleted: false }, { question: 1, language: 'python', name: 'berths.py', rev: 2, text: 'import heapq\n', caret: 0, deleted: false }, { question: 2, language: 'python', name: 'main.py', rev: 2, text: 'print(1)\n', caret: 0, deleted: false }], languages: {} } satisfies FilesAnswer);
    if (path.endsWith('/check')) return reply({ ok: true, ms: 212, output: 'bonjour, Amélie' });
    if (path.endsWith('/practice')) return reply({ n: 0, title: 'Add two numbers', statement: 'Read two numbers, print their sum.', points: 0, tags: [], component: { ...CODE_COMPONENT, validators: VALIDATORS.slice(0, 2), starters: [{ language: 'python', files: [{ name: 'main.py', text: 'a, b = map(int, input().split())\nprint(a + b)\n' }] }] } } satisfies PracticeQuestion);
    if (path.endsWith('/practice/run')) return reply({ compiled: true, compiler_output: '', results: results.slice(0, 2) });
    if (path.endsWith('/receipt')) return reply(RECEIPT);
    const n = Number(path.split('/').at(-1));
    const quiz = { type: 'quiz' as const, several: true, choices: [{ text: 'A `GET` changes nothing that the client asked for' }, { text: 'A `POST` may be sent again safely' }, { text: 'A `PUT` sent twice is as one sent once' }] };
    return reply({ n, title: TITLES[n] ?? '', statement: n === 3 ? 'Which of these does HTTP promise?' : STATEMENT, points: 30, tags: ['queues', 'heaps'], component: n === 3 ? quiz : CODE_COMPONENT } satisfies Question);
  };
}

const RECEIPT: Receipt = {
  code: 'pc-7f3e-91ca', candidate_name: 'Ioana Ștefănescu', campaign_title: 'Back-end engineers, autumn', test_title: 'Back-end engineers, autumn', test_version: 3,
  started_at: Date.UTC(2026, 10, 23, 13, 0, 8), ended_at: Date.UTC(2026, 10, 23, 13, 55, 59), handed_in: true, time_used_ms: 3_351_000, time_allowed_ms: 3_603_000,
  credits: [{ from: Date.UTC(2026, 10, 23, 13, 12), to: Date.UTC(2026, 10, 23, 13, 12, 3), ms: 3_000 }], edits: 1_284, last_edit_at: Date.UTC(2026, 10, 23, 13, 55, 45), zone: 'Europe/Paris', link_until: Date.UTC(2026, 11, 21),
  questions: TITLES.map((title, n) => ({ n, title, passed: [5, 6, 3, null][n] ?? null, total: [5, 6, 7, null][n] ?? null, answered: n < 3, revision: [212, 587, 485, 0][n] ?? 0, sha256: n < 3 ? '9f2c41d07be8835aa0c61e94d2f7706b1c35e8a4904fd1677a2be0935cd81f4e' : null })),
};

function socket_of(scene: Scene) {
  return class {
    static OPEN = 1;
    readyState = 0;
    onopen = () => {};
    onclose = (_: { code: number }) => {};
    onmessage = (_: { data: string }) => {};

    constructor() {
      const first = performance.now() < 2_000;
      if (!scene.offline || first) setTimeout(() => ((this.readyState = 1), this.onopen()), 20);
      if (scene.offline) setTimeout(() => ((this.readyState = 3), this.onclose({ code: 1006 })), first ? 2_500 : 50);
    }
    send(text: string) {
      setTimeout(() => this.#hear(JSON.parse(text) as ClientFrame), 38);
    }
    close() {
      this.readyState = 3;
    }

    #say(frame: ServerFrame) {
      this.onmessage({ data: JSON.stringify(frame) });
    }
    #hear(frame: ClientFrame) {
      if (frame.type === 'ping') this.#say({ type: 'pong', sent_ms: frame.sent_ms, server_ms: Date.now(), heads: {} });
      if (frame.type === 'watch') {
        const rows = frame.topic.startsWith('wall.') ? wall_rows() : frame.topic.startsWith('session.') ? [{ key: 'session', value: session_row(scene) }, ...question_rows(scene), ...run_rows(scene)] : [];
        this.#say({ type: 'rows', topic: frame.topic, epoch: 1, seq: 1, reset: true, rows });
      }
      if (frame.type === 'do') this.#do(frame.command_id, frame.command as SessionCommand);
    }
    #do(command_id: string, command: SessionCommand) {
      const put = (rest: Partial<SessionRow>) => {
        Object.assign(scene.session, rest);
        this.#say({ type: 'rows', topic: 'session.1', epoch: 1, seq: Date.now(), rows: [{ key: 'session', value: session_row(scene) }] });
      };
      let answer: unknown;
      if (command.type === 'edit') answer = { rev: command.base_rev + 1 };
      if (command.type === 'start') put({ status: 'test_in_process', started_at: Date.now(), ends_at: Date.now() + 60 * MINUTE, seat: 'mine' });
      if (command.type === 'accept') put({ status: 'confirmed' });
      if (command.type === 'decline') put({ status: 'declined' });
      if (command.type === 'take_seat') put({ seat: 'mine' });
      if (command.type === 'hand_in') put({ status: 'test_finished', handed_in: true, sealed_at: Date.now() });
      this.#say({ type: 'done', command_id, epoch: 1, seq: 1, answer });
    }
  };
}
