import { Text, type ChangeSet } from '@codemirror/state';
import { SvelteMap } from 'svelte/reactivity';
import { api, Refused } from '$lib/api';
import { file_key } from '$lib/draft';
import { random_id } from '$lib/ids';
import { main_file } from '$lib/languages';
import type { Live } from '$lib/live.svelte';
import { append_output, text_of, type Output, type Piece } from '$lib/output';
import type { Topic } from '$lib/topic.svelte';
import type { CodeComponent, FileName, InputRow, Language, LanguageChoice, PracticeQuestion, PracticeRun, Refusal, ResultRow, RunKind, RunRow } from '$lib/wire';
import { view_of, type RunState, type RunView } from './results';
import type { Sitting } from './sitting.svelte';

/** An answer in code, as the editor and the results show it: in a session, or in practice. */
export interface Work {
  readonly languages: LanguageChoice[];
  readonly language: Language;
  readonly files: FileName[];
  readonly read_only: boolean;
  readonly refused: Refusal | null;
  /** The last run, and the last one on the person's own input. */
  readonly run: RunView | undefined;
  readonly free: RunView | undefined;
  readonly best: { passed: number; total: number } | null;
  text(file: FileName): string | undefined;
  caret(file: FileName): number;
  edit(file: FileName, changes: ChangeSet, caret: number): void;
  caret_moved(file: FileName, caret: number): void;
  choose_language(language: Language): void;
  add_file(name: string): Promise<boolean>;
  delete_file(file: FileName): Promise<void>;
  start_run(kind: RunKind, stdin?: string): Promise<void>;
  /** What a run has printed so far. */
  output(submission: string, validator: number, channel: 'stdout' | 'stderr' | 'compiler'): string;
  /** What the person does with their own run while it goes on; not in practice. */
  readonly console: Console | null;
}

/** A person's own run, while it goes on. */
export interface Console {
  /** Why what was typed last did not reach it. */
  readonly refused: Refusal | null;
  /** What was printed and typed so far. */
  pieces(submission: string): readonly Piece[];
  /** Whether it takes what is typed. */
  is_open(submission: string): boolean;
  type(submission: string, text: string): boolean;
  end_input(submission: string): void;
  stop(submission: string): void;
}

/** The answer to one question of a session. */
export class SessionWork implements Work {
  readonly #sitting: Sitting;
  readonly #live: Live;
  readonly #n: number;
  readonly #component: CodeComponent;
  #topics = new SvelteMap<string, Topic>();
  // Made last: fields are there before what the constructor is given.
  readonly console: Console;

  constructor(live: Live, sitting: Sitting, n: number, component: CodeComponent) {
    this.#live = live;
    this.#sitting = sitting;
    this.#n = n;
    this.#component = component;
    this.console = this.#console();
  }

  get languages() {
    return this.#component.languages;
  }
  get language() {
    return this.#sitting.language(this.#n) ?? 'python';
  }
  get files() {
    const files = this.#sitting.saver.files.filter(file => file.question === this.#n && file.language === this.language);
    return main_first(files);
  }
  get read_only() {
    return this.#sitting.is_locked;
  }
  get refused() {
    return this.#sitting.refused ?? (this.#sitting.saver.refused ? { ...this.#sitting.saver.refused } : null);
  }
  get run() {
    return this.#runs(run => !is_own(run)).at(-1);
  }
  get free() {
    return this.#runs(is_own).at(-1);
  }
  get best() {
    return this.#sitting.list[this.#n]?.best ?? null;
  }

  text = (file: FileName) => this.#sitting.saver.text(file);
  caret = (file: FileName) => this.#sitting.caret(file_key(file));
  edit(file: FileName, changes: ChangeSet, caret: number): void {
    this.#sitting.saver.edit(file, changes, caret);
  }
  caret_moved(file: FileName, caret: number): void {
    this.#sitting.caret_moved(file, caret);
  }
  choose_language(language: Language): void {
    void this.#sitting.choose_language(this.#n, language);
  }
  add_file(name: string): Promise<boolean> {
    return this.#sitting.add_file({ question: this.#n, language: this.language, name });
  }
  delete_file(file: FileName): Promise<void> {
    return this.#sitting.delete_file(file);
  }
  start_run(kind: RunKind, stdin?: string): Promise<void> {
    return this.#sitting.run(this.#n, kind, stdin);
  }

  output(submission: string, validator: number, channel: 'stdout' | 'stderr' | 'compiler'): string {
    return text_of(this.#topics.get(submission)?.row<Output>(`${validator}.${channel}`));
  }

  #console(): Console {
    const [live, topics] = [this.#live, this.#topics];
    return {
      get refused() {
        return live.untyped?.why ?? null;
      },
      pieces: submission => topics.get(submission)?.row<Output>('0.stdout')?.pieces ?? [],
      is_open: submission => topics.get(submission)?.row<InputRow>('input')?.open ?? false,
      type: (submission, text) => live.tell({ type: 'type', submission, text }),
      end_input: submission => void live.tell({ type: 'end_input', submission }),
      stop: submission => void live.tell({ type: 'stop', submission }),
    };
  }

  /** Listens to what a run prints, as long as it is shown. */
  listen(submission: string): () => void {
    const topic = this.#live.watch(`output.${submission}`, { merge: append_output });
    this.#topics.set(submission, topic);
    return () => {
      this.#topics.delete(submission);
      this.#live.unwatch(topic);
    };
  }

  #runs(wanted: (run: RunRow) => boolean): RunView[] {
    return this.#sitting.runs.filter(run => run.question === this.#n && wanted(run)).map(run => this.#view(run));
  }

  #view(run: RunRow): RunView {
    const topic = this.#topics.get(run.submission);
    const judged = topic?.under<ResultRow>('judged.').map(([, result]) => result) ?? [];
    return view_of(run, topic?.row<RunState>('state'), judged);
  }
}

/** A run on the person's own input, given at once or typed. */
const is_own = (run: RunRow) => run.kind === 'free' || run.kind === 'interactive';

/** The file that runs stands first, the others by name. */
function main_first(files: FileName[]): FileName[] {
  const is_main = (file: FileName) => file.name === main_file(file.language);
  return [...files.filter(is_main), ...files.filter(file => !is_main(file))];
}

/** The practice question: no clock, nothing is kept. */
export class PracticeWork implements Work {
  readonly read_only = false;
  readonly best = null;
  readonly console = null;
  readonly free = undefined;
  refused: Refusal | null = $state(null);
  run: RunView | undefined = $state.raw();
  language: Language = $state('python');
  #texts = new SvelteMap<string, Text>();
  readonly #session: string;
  readonly #component: PracticeQuestion['component'];

  constructor(session: string, question: PracticeQuestion) {
    this.#session = session;
    this.#component = question.component;
    for (const { language, files } of question.component.starters ?? []) {
      for (const { name, text } of files) this.#texts.set(`${language}/${name}`, Text.of(text.split('\n')));
    }
    for (const { language } of question.component.languages) {
      if (![...this.#texts.keys()].some(key => key.startsWith(`${language}/`))) this.#texts.set(`${language}/${main_file(language)}`, Text.empty);
    }
    this.language = question.component.languages[0]?.language ?? 'python';
  }

  get languages() {
    return this.#component.languages;
  }
  get files(): FileName[] {
    const names = [...this.#texts.keys()].map(key => key.split('/') as [Language, string]);
    return names.filter(([language]) => language === this.language).map(([language, name]) => ({ question: 0, language, name }));
  }

  text = (file: FileName) => this.#texts.get(`${file.language}/${file.name}`)?.toString();
  caret = () => 0;
  caret_moved(): void {}
  edit(file: FileName, changes: ChangeSet): void {
    const key = `${file.language}/${file.name}`;
    this.#texts.set(key, changes.apply(this.#texts.get(key) ?? Text.empty));
  }
  choose_language(language: Language): void {
    this.language = language;
  }
  async add_file(name: string): Promise<boolean> {
    this.#texts.set(`${this.language}/${name}`, Text.empty);
    return true;
  }
  async delete_file(file: FileName): Promise<void> {
    this.#texts.delete(`${file.language}/${file.name}`);
  }
  output = () => '';

  async start_run(kind: RunKind): Promise<void> {
    const total = this.#component.validators.length;
    const row: RunView = {
      submission: random_id(), question: 0, kind, language: this.language, at: Date.now(), state: 'running', before: null, wait_s: null,
      revision: 0, passed: null, total, results: [], compiled: null, compiler_output: '',
    };
    this.run = row;
    this.refused = null;
    const files = this.files.map(file => ({ name: file.name, text: this.text(file) ?? '' }));
    try {
      const body = { language: this.language, files };
      const answer = await api<PracticeRun>(`sit/${this.#session}/practice/run`, { method: 'POST', body });
      const passed = answer.results.filter(result => result.verdict === 'accepted').length;
      this.run = { ...row, ...answer, state: 'judged', passed };
    } catch (failure) {
      this.run = undefined;
      if (!(failure instanceof Refused)) throw failure;
      this.refused = { code: failure.code, text: failure.message };
    }
  }
}
