/** What crosses the wire, one type a row, a frame or an answer. Times are ms since 1970, durations ms. */

export type Status =
  | 'confirmation_pending'
  | 'confirmed'
  | 'declined'
  | 'cancelled'
  | 'test_sent'
  | 'test_opened'
  | 'test_in_process'
  | 'test_finished';

export type Language = 'python' | 'c' | 'cpp' | 'javascript';

export type Verdict =
  | 'accepted'
  | 'wrong_answer'
  | 'time_limit'
  | 'wall_limit'
  | 'memory_limit'
  | 'output_limit'
  | 'disk_limit'
  | 'process_limit'
  | 'runtime_error'
  | 'compile_error'
  | 'rejected'
  | 'internal_error';

/** Why something was not done: a stable word for the page, a sentence for people. */
export type Refusal = { code: string; text: string; retry_after_ms?: number };

export type Row = { key: string; value: unknown };

// --- the socket ---

export type ClientFrame =
  | { type: 'watch'; topic: string; epoch?: number; after_seq?: number; from?: number; count?: number }
  | { type: 'unwatch'; topic: string }
  | { type: 'do'; command_id: string; to: string; command: unknown; first?: true }
  | { type: 'ping'; sent_ms: number; rtt_ms?: number };

export type RowsFrame = {
  type: 'rows';
  topic: string;
  epoch: number;
  seq: number;
  /** The seq of the frame before this one: another than ours means that one is missing. */
  prev?: number;
  reset?: true;
  /** More pages of the same reading follow. */
  more?: true;
  rows: Row[];
};

export type ServerFrame =
  | RowsFrame
  | { type: 'done'; command_id: string; epoch: number; seq: number; answer?: unknown }
  | { type: 'refused'; command_id: string; why: Refusal }
  | { type: 'pong'; sent_ms: number; server_ms: number; heads: Record<string, [epoch: number, seq: number]> }
  | { type: 'bye'; code: string; retry_after_ms?: number };

// --- topic `session.<id>` ---

export type Credit = { from: number; to: number; ms: number };

/** Row `session`. */
export type SessionRow = {
  status: Status;
  campaign_title: string;
  test_title: string;
  candidate_name: string;
  opens_at: number;
  closes_at: number | null;
  zone: string;
  time_allowed_ms: number;
  extra_ms: number;
  linear: boolean;
  questions: number;
  points: number;
  started_at: number | null;
  ends_at: number | null;
  time_up_at: number | null;
  sealed_at: number | null;
  handed_in: boolean;
  paused_at: number | null;
  current: number;
  seat: string | null;
  credits: Credit[];
  allow_small_screen: boolean;
  announcement: { text: string; at: number } | null;
  preview: boolean;
  edits: number;
};

export type QuestionState = 'locked' | 'open' | 'time_up' | 'sealed';

/** Row `question.<n>`, n from 0. */
export type QuestionRow = {
  n: number;
  title: string | null;
  points: number;
  kind: 'code' | 'quiz';
  tags: string[];
  limit_ms: number | null;
  state: QuestionState;
  ends_at: number | null;
  edited: boolean;
  answered: boolean;
  runs: number;
  best: { passed: number; total: number; score: number | null } | null;
  changed_since_run: boolean;
  language: Language | null;
  choices: number[] | null;
};

export type RunKind = 'examples' | 'all' | 'final' | 'free';

/** How the program did on one validator; of a hidden one only the first four are there. */
export type ResultRow = {
  validator: number;
  shown: boolean;
  name: string;
  verdict: Verdict;
  cpu_ms?: number;
  wall_ms?: number;
  memory_bytes?: number;
  detail?: string;
  stdout?: string;
  stderr?: string;
  input?: string;
  expected?: string;
};

/** Row `run.<submission>`. */
export type RunRow = {
  submission: string;
  question: number;
  kind: RunKind;
  language: Language;
  at: number;
  state: 'queued' | 'running' | 'judged';
  place: number | null;
  revision: number;
  passed: number | null;
  total: number;
  results: ResultRow[];
  compiled: boolean | null;
  compiler_output: string;
};

/** Row `late.<id>`: an edit that came after sealing, kept apart. */
export type LateRow = { question: number; name: string; text_chars: number; at: number; accepted: boolean };

// --- topic `output.<submission>` ---

/** Row `<validator>.<channel>`: the bytes from `offset` on. */
export type OutputRow = { offset: number; text: string };

// --- topic `wall.<campaign>` ---

export type WallCell = { score: number; points: number; tries: number; solved_at_min: number | null };

export type WallRow = {
  name: string;
  score: number;
  solved: number;
  minutes: number;
  questions: WallCell[];
  started_at: number | null;
  finished: boolean;
};

// --- commands to `session.<id>` ---

export type FileName = { question: number; language: Language; name: string };

export type SessionCommand =
  | { type: 'accept' }
  | { type: 'decline'; reason?: string }
  | { type: 'start'; seat: string }
  | { type: 'take_seat'; seat: string }
  | { type: 'edit'; seat: string; file: FileName; base_rev: number; changes: unknown; caret: number }
  | { type: 'add_file'; seat: string; file: FileName }
  | { type: 'delete_file'; seat: string; file: FileName }
  | { type: 'choose_language'; seat: string; question: number; language: Language }
  | { type: 'answer'; seat: string; question: number; choices: number[] }
  | { type: 'caret'; seat: string; file: FileName; caret: number }
  | { type: 'run'; seat: string; question: number; kind: RunKind; stdin?: string }
  | { type: 'go_to'; seat: string; question: number }
  | { type: 'next_question'; seat: string }
  | { type: 'hand_in'; seat: string };

// --- answers over HTTP ---

export type LinkState = 'ready' | 'unknown' | 'expired' | 'revoked' | 'cancelled';

/** `GET /api/v1/links/{code}` */
export type LinkAnswer = {
  state: LinkState;
  session?: string;
  status?: Status;
  campaign_title?: string;
  candidate_name?: string;
  creator_name?: string;
  expires_at?: number;
  test_title?: string;
  opens_at?: number;
  closes_at?: number | null;
  zone?: string;
  time_allowed_ms?: number;
  questions?: number;
  points?: number;
  decline_until?: number;
};

export type Limits = {
  cpu_ms: number;
  wall_ms: number;
  memory_bytes: number;
  processes: number;
  output_bytes: number;
  disk_bytes: number;
};

export type LanguageChoice = { language: Language; version: string };
export type ValidatorShown = { name: string; shown: boolean; weight: number; input?: string; expected?: string };

export type CodeComponent = {
  type: 'code';
  languages: LanguageChoice[];
  limits: Limits;
  validators: ValidatorShown[];
};
export type QuizComponent = { type: 'quiz'; choices: { text: string }[]; several: boolean };

/** `GET /api/v1/sit/{session}/questions/{n}` */
export type Question = {
  n: number;
  title: string;
  statement: string;
  points: number;
  tags: string[];
  component: CodeComponent | QuizComponent;
};

export type SourceFile = { name: string; text: string };

/** `GET /api/v1/sit/{session}/practice`: a question outside the clock, with its starter text. */
export type PracticeQuestion = Question & {
  component: CodeComponent & { starters?: { language: Language; files: SourceFile[] }[] };
};

/** One of `GET /api/v1/sit/{session}/files`. */
export type StoredFile = FileName & { rev: number; text: string; caret: number; deleted: boolean };
export type FilesAnswer = { files: StoredFile[]; languages: Record<string, Language> };

export type CheckAnswer = { ok: boolean; ms: number; output: string };

export type PracticeRun = { results: ResultRow[]; compiled: boolean; compiler_output: string };

export type ReceiptQuestion = {
  n: number;
  title: string;
  passed: number | null;
  total: number | null;
  answered: boolean;
  revision: number;
  sha256: string | null;
};

/** `GET /api/v1/sit/{session}/receipt` */
export type Receipt = {
  code: string;
  candidate_name: string;
  campaign_title: string;
  test_title: string;
  test_version: number;
  started_at: number;
  ended_at: number;
  handed_in: boolean;
  time_used_ms: number;
  time_allowed_ms: number;
  credits: Credit[];
  edits: number;
  last_edit_at: number | null;
  zone: string;
  link_until: number | null;
  questions: ReceiptQuestion[];
};

/** `GET /api/v1/walls/{code}` */
export type Wall = {
  campaign: string;
  title: string;
  zone: string;
  questions: { title: string; points: number }[];
  opens_at: number;
  closes_at: number | null;
  time_allowed_ms: number;
};
