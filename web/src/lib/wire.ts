/** What crosses the wire, one type a row, a frame or an answer. Times are ms since 1970, durations ms. */
import type { Credit } from './wire/Credit';
import type { Language } from './wire/Language';
import type { Limits } from './wire/Limits';
import type { RunKind } from './wire/RunKind';
import type { RunResult } from './wire/RunResult';
import type { SourceFile } from './wire/SourceFile';
import type { Stage } from './wire/Stage';
import type { Status } from './wire/Status';
import type { WallRules } from './wire/WallRules';
import type { Why } from './wire/Why';
import type { ServerFrame as OtherFrame } from './wire/ServerFrame';
export type { ClientFrame } from './wire/ClientFrame';
export type { LateRow } from './wire/LateRow';
export type { QuestionRow } from './wire/QuestionRow';
export type { RunRow } from './wire/RunRow';
export type { SessionRow } from './wire/SessionRow';
export type { Verdict } from './wire/Verdict';
export type { Credit, Language, Limits, RunKind, SourceFile, Status };
/** Why something was not done: a stable word for the page, a sentence for people. */
export type Refusal = Why;
export type QuestionState = Stage;
/** How the program did on one validator; of a hidden one the texts are empty. */
export type ResultRow = RunResult;

export type Row = { key: string; value: unknown };

// --- the socket ---

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

/** A frame from the server: `rows` is written by hand there, the others are generated. */
export type ServerFrame = RowsFrame | OtherFrame;



// --- topic `output.<submission>` ---

/** Row `<validator>.<channel>`: the bytes from `offset` on. */
export type OutputRow = { offset: number; text: string; typed?: true; skipped?: number };

/** Row `input`: whether the run takes what is typed. */
export type InputRow = { open: boolean };

// --- topics `wall.<campaign>` and `place.<campaign>` ---

/** `pending`: tried since the freeze, or a quiz that may still be changed; what came of it is not told. */
export type WallCell = { score: number; points: number; tries: number; solved_at_min: number | null; pending?: boolean };

/** Row `about`: what may change while the wall is watched. */
export type WallAbout = { title: string; opens_at: number | null; closes_at: number | null; frozen_at: number | null; people: number };

/** Row `you` of `place.<campaign>`: which row is one's own, and of how many. */
export type WallYou = { key: string; of: number };

/** Row `window` of a wall and of a place: the place of the first row, from 0, and its rank, from 1; and by what the rows are ordered. */
export type WallWindow = { from: number; rank: number; rules: WallRules };

export type WallRow = {
  name: string;
  score: number;
  solved: number;
  minutes: number;
  /** When the last of the score came, if any has. */
  since: number | null;
  questions: WallCell[];
  started_at: number;
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
  opens_at?: number | null;
  closes_at?: number | null;
  zone?: string;
  time_allowed_ms?: number;
  questions?: number;
  points?: number;
  decline_until?: number;
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
  opens_at: number | null;
  closes_at: number | null;
  frozen_at: number | null;
  time_allowed_ms: number;
};
