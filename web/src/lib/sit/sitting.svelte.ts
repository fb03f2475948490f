import type { ChangeSet } from '@codemirror/state';
import { SvelteMap } from 'svelte/reactivity';
import { api } from '$lib/api';
import { clock } from '$lib/clock.svelte';
import type { Live, Outcome } from '$lib/live.svelte';
import { Outbox } from '$lib/outbox';
import { Saver, type Saved } from '$lib/saved.svelte';
import type { Topic } from '$lib/topic.svelte';
import type { FileName, FilesAnswer, Language, LateRow, Question, QuestionRow, Refusal, RunKind, RunRow, SessionCommand, SessionRow, StoredFile } from '$lib/wire';
import { seat } from './seat';

const CARET_EVERY_MS = 5_000;
const FILES_AGAIN_MS = 2_000;

/** One candidate's session as this page sees it: its rows, its files, and what can be asked of it. */
export class Sitting {
  readonly id: string;
  readonly seat = seat();
  readonly saver: Saver;
  readonly questions = new SvelteMap<number, Question>();
  /** Whether the files have come. */
  loaded = $state(false);
  /** What the last command was refused for; shown where the act was made. */
  refused: Refusal | null = $state(null);
  /** Hears of text that was changed elsewhere. */
  on_changed: (file: FileName, changes: ChangeSet) => void = () => {};

  /** In free mode the person chooses the question. */
  #chosen: number | null = $state(null);
  #languages = new SvelteMap<number, Language>();
  #carets = new Map<string, number>();
  #answering = $state(0);
  #caret: { file: FileName; at: number } | null = null;
  #caret_timer: ReturnType<typeof setInterval> | undefined;
  #takes_seat: boolean;
  /** The command before: one is on its way at a time, so that none that is asked again comes after a later one. */
  #before: Promise<unknown> = Promise.resolve();
  readonly #live: Live;
  readonly #topic: Topic;

  /** `takes_seat`: the person has just asked to sit here. */
  constructor(live: Live, id: string, takes_seat: boolean) {
    this.#live = live;
    this.id = id;
    this.#takes_seat = takes_seat;
    this.#topic = live.watch(`session.${id}`);
    this.saver = new Saver(
      {
        session: id,
        seat: () => this.seat,
        send: (command, how) => live.do(`session.${id}`, command, how),
        files: () => this.#files(),
        changed: (file, changes) => this.on_changed(file, changes),
      },
      new Outbox(),
    );
  }

  get row(): SessionRow | undefined {
    return this.#topic.row('session');
  }
  get list(): QuestionRow[] {
    return this.#topic.under<QuestionRow>('question.').map(([, row]) => row).sort((a, b) => a.n - b.n);
  }
  get runs(): RunRow[] {
    return this.#topic.under<RunRow>('run.').map(([, row]) => row).sort((a, b) => a.at - b.at);
  }
  get late(): LateRow[] {
    return this.#topic.under<LateRow>('late.').map(([, row]) => row).sort((a, b) => a.at - b.at);
  }
  /** The question that is open on this page. */
  get current(): number {
    if (this.row?.linear) return this.row.current;
    return this.#chosen ?? this.row?.current ?? 0;
  }
  get question_row(): QuestionRow | undefined {
    return this.#topic.row(`question.${this.current}`);
  }
  get is_here(): boolean {
    return this.row?.seat === this.seat;
  }
  /** When what is open ends: the question, if it has a limit of its own. */
  get ends_at(): number | null {
    const [session, question] = [this.row?.ends_at ?? null, this.question_row?.ends_at ?? null];
    return session !== null && question !== null ? Math.min(session, question) : (question ?? session);
  }
  get is_time_up(): boolean {
    const row = this.row;
    if (!row || row.status !== 'test_in_process') return row?.status === 'test_finished';
    if (row.paused_at !== null) return false;
    return row.time_up_at !== null || (this.ends_at !== null && clock.now >= this.ends_at);
  }
  /** Whether nothing can be typed now. */
  get is_locked(): boolean {
    const state = this.question_row?.state;
    return this.is_time_up || !this.is_here || this.row?.paused_at !== null || state === 'sealed' || state === 'time_up';
  }
  get saved(): Saved {
    if (this.saver.state !== 'saved' || this.#answering === 0) return this.saver.state;
    return this.#live.link === 'live' ? 'saving' : 'offline';
  }

  /** Reads what is to be answered, and sits down. Called once the test has begun. */
  async begin(): Promise<void> {
    if (this.row?.status === 'test_in_process' && (this.#takes_seat || this.row.seat === null) && !this.is_here) await this.take_seat();
    this.#takes_seat = false;
    await this.saver.load(await this.#files_at_last());
    this.loaded = true;
    this.#caret_timer ??= setInterval(() => this.#tell_caret(), CARET_EVERY_MS);
  }

  async read_question(n: number): Promise<void> {
    if (this.questions.has(n)) return;
    this.questions.set(n, await api<Question>(`sit/${this.id}/questions/${n}`));
  }

  language(n: number): Language | undefined {
    const row = this.#topic.row<QuestionRow>(`question.${n}`);
    const component = this.questions.get(n)?.component;
    const first = component?.type === 'code' ? component.languages[0]?.language : undefined;
    return this.#languages.get(n) ?? row?.language ?? first;
  }

  caret(key: string): number {
    return this.#carets.get(key) ?? 0;
  }

  accept = () => this.#ask({ type: 'accept' });
  decline = (reason: string) => this.#ask(reason ? { type: 'decline', reason } : { type: 'decline' });
  start = () => this.#ask({ type: 'start', seat: this.seat });
  hand_in = async () => {
    await this.saver.flushed();
    return this.#ask({ type: 'hand_in', seat: this.seat });
  };
  next_question = async () => {
    await this.saver.flushed();
    return this.#ask({ type: 'next_question', seat: this.seat });
  };

  async take_seat(): Promise<void> {
    await this.#ask({ type: 'take_seat', seat: this.seat });
  }

  go_to(question: number): void {
    if (this.row?.linear || question === this.current) return;
    this.#chosen = question;
    if (!this.is_locked) void this.#ask({ type: 'go_to', seat: this.seat, question });
  }

  async choose_language(question: number, language: Language): Promise<void> {
    const before = this.#languages.get(question);
    await this.saver.flushed();
    const outcome = await this.#ask({ type: 'choose_language', seat: this.seat, question, language });
    if (outcome.ok) {
      await this.saver.reload();
      this.#languages.set(question, language);
    } else if (before) this.#languages.set(question, before);
  }

  async add_file(file: FileName): Promise<boolean> {
    const outcome = await this.#ask({ type: 'add_file', seat: this.seat, file });
    if (outcome.ok) await this.saver.reload();
    return outcome.ok;
  }

  async delete_file(file: FileName): Promise<void> {
    await this.saver.flushed();
    const outcome = await this.#ask({ type: 'delete_file', seat: this.seat, file });
    if (outcome.ok) await this.saver.reload();
  }

  async answer(question: number, choices: number[]): Promise<boolean> {
    this.#answering += 1;
    const outcome = await this.#ask({ type: 'answer', seat: this.seat, question, choices });
    this.#answering -= 1;
    return outcome.ok;
  }

  async run(question: number, kind: RunKind, stdin?: string): Promise<void> {
    await this.saver.flushed();
    await this.#ask({ type: 'run', seat: this.seat, question, kind, ...(stdin === undefined ? {} : { stdin }) });
  }

  caret_moved(file: FileName, at: number): void {
    this.#caret = { file, at };
  }

  leave(): void {
    clearInterval(this.#caret_timer);
    this.#live.unwatch(this.#topic);
  }

  async #files(): Promise<StoredFile[]> {
    const { files, languages } = await api<FilesAnswer>(`sit/${this.id}/files`);
    for (const [n, language] of Object.entries(languages)) this.#languages.set(Number(n), language);
    for (const file of files) this.#carets.set(`${file.question}/${file.language}/${file.name}`, file.caret);
    return files.filter(file => !file.deleted);
  }

  /** The files, asked for until the server can be reached. */
  async #files_at_last(): Promise<StoredFile[]> {
    for (;;) {
      try {
        return await this.#files();
      } catch {
        await new Promise(resolve => setTimeout(resolve, FILES_AGAIN_MS));
      }
    }
  }

  async #ask(command: SessionCommand): Promise<Outcome> {
    const asked = this.#before.then(() => this.#live.do(`session.${this.id}`, command));
    this.#before = asked;
    const outcome = await asked;
    this.refused = outcome.ok ? null : outcome.why;
    return outcome;
  }

  #tell_caret(): void {
    const caret = this.#caret;
    this.#caret = null;
    if (caret && !this.is_locked) void this.#live.do(`session.${this.id}`, { type: 'caret', seat: this.seat, file: caret.file, caret: caret.at });
  }
}
