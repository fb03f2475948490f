import type { ChangeSet } from '@codemirror/state';
import { Draft, file_key } from './draft';
import { random_id } from './ids';
import type { Outcome } from './live.svelte';
import type { Outbox } from './outbox';
import type { FileName, SessionCommand, StoredFile } from './wire';

const PACE_MS = 1_000;
const OFFLINE_AFTER_MS = 2_000;
const KEEP_AFTER_MS = 200;
/** Codes after which nothing more is sent: the text is read-only from now on. */
const FINAL = new Set(['time_is_up', 'gone', 'not_running']);

/** The file's next revision, or which late edit it is. */
type EditAnswer = { rev: number } | { late: number };

/** `offline`: kept on this device only, for two seconds or longer. */
export type Saved = 'saved' | 'saving' | 'offline';

export type Port = {
  session: string;
  seat: () => string;
  /** `again`: an earlier page may have sent it under this id. */
  send: (command: SessionCommand, how: { id: string; again: boolean }) => Promise<Outcome>;
  /** The files as the server has them. */
  files: () => Promise<StoredFile[]>;
  /** The server's text is another: the open editor must change so. */
  changed: (file: FileName, changes: ChangeSet) => void;
};

/** Sends what is typed: one composed frame a second, one unanswered at a time, and kept here until it is stored. */
export class Saver {
  state: Saved = $state('saved');
  /** Why the last frame was refused, if it was. */
  refused: { code: string; text: string } | null = $state(null);
  /** Frames acknowledged so far, to say how many were sent after an outage. */
  frames_stored = $state(0);
  /** The files there are, in order of name. */
  files: FileName[] = $state.raw([]);

  #drafts = new Map<string, Draft>();
  #on_its_way = false;
  #stopped = false;
  #ended = false;
  #sent_at = -Infinity;
  #pump_timer: ReturnType<typeof setTimeout> | undefined;
  #late_timer: ReturnType<typeof setTimeout> | undefined;
  #keep_timers = new Map<string, ReturnType<typeof setTimeout>>();
  #waiting: (() => void)[] = [];
  readonly #port: Port;
  readonly #outbox: Outbox;

  constructor(port: Port, outbox: Outbox) {
    this.#port = port;
    this.#outbox = outbox;
  }

  /** Takes the files of the server, with what this device still holds above them. */
  async load(files: StoredFile[]): Promise<void> {
    for (const kept of await this.#outbox.of(this.#port.session)) {
      const stored = files.find(file => file_key(file) === file_key(kept.file));
      const draft = Draft.restored(kept);
      if (!stored || !draft) await this.#outbox.erase(this.#port.session, kept.file);
      else {
        if (!draft.sent) draft.adopt(stored.text, stored.rev);
        this.#drafts.set(file_key(kept.file), draft);
      }
    }
    for (const file of files) {
      const key = file_key(file);
      if (!this.#drafts.has(key)) this.#drafts.set(key, new Draft(name_of(file), file.rev, file.text));
    }
    this.#list();
    this.#show();
    this.#pump();
  }

  /** The text as the person sees it, or `undefined` if there is no such file. */
  text(file: FileName): string | undefined {
    return this.#drafts.get(file_key(file))?.text();
  }

  /** Reads the files again: one was added, deleted, or came with another language. */
  async reload(): Promise<void> {
    await this.#adopt_all();
  }

  edit(file: FileName, changes: ChangeSet, caret: number): void {
    const draft = this.#drafts.get(file_key(file));
    if (!draft || this.#stopped) return;
    draft.edit(changes, caret);
    this.#keep(draft);
    this.#show();
    this.#pump();
  }

  /** Resolves once the server has all of it. */
  flushed(): Promise<void> {
    if (this.#clean() || this.#stopped) return Promise.resolve();
    this.#pump();
    return new Promise(resolve => this.#waiting.push(resolve));
  }

  /** Nothing is sent any more until `resume`: the seat is elsewhere. */
  pause(): void {
    this.#stopped = true;
    this.#show();
  }

  /** The seat is here again: adopts what was written elsewhere, then goes on. */
  async resume(): Promise<void> {
    if (!this.#stopped || this.#ended) return;
    this.#stopped = false;
    this.refused = null;
    await this.#adopt_all();
    this.#pump();
  }

  /** The session is sealed: what was not sent in time is kept nowhere. */
  async end(): Promise<void> {
    this.#stopped = this.#ended = true;
    clearTimeout(this.#pump_timer);
    await this.#outbox.erase_session(this.#port.session);
    this.#show();
  }

  #pump(): void {
    if (this.#on_its_way || this.#stopped) return;
    clearTimeout(this.#pump_timer);
    const draft = [...this.#drafts.values()].find(draft => !draft.is_clean);
    if (!draft) return;
    const wait_ms = draft.sent ? 0 : this.#sent_at + PACE_MS - performance.now();
    if (wait_ms > 0) this.#pump_timer = setTimeout(() => this.#pump(), wait_ms);
    else void this.#send(draft);
  }

  async #send(draft: Draft): Promise<void> {
    const again = draft.sent;
    const { command_id, base_rev, changes, caret } = again ?? draft.take(random_id());
    this.#on_its_way = true;
    this.#sent_at = performance.now();
    this.#keep(draft);
    this.#show();
    const command: SessionCommand = { type: 'edit', seat: this.#port.seat(), file: draft.file, base_rev, changes, caret };
    // The id is kept with the frame: an answer lost with the page is asked for again under it.
    const outcome = await this.#port.send(command, { id: command_id, again: again !== null });
    this.#on_its_way = false;
    if (outcome.ok) await this.#answered(draft, outcome.answer as EditAnswer, again !== null);
    else await this.#refused(draft, outcome.why);
    this.#keep(draft);
    this.#show();
    this.#pump();
  }

  async #answered(draft: Draft, answer: EditAnswer, restored: boolean): Promise<void> {
    this.frames_stored += 1;
    this.refused = null;
    // What came after the end, or in a pause, is kept apart by the server: the file is as it was.
    if (!('rev' in answer)) await this.#adopt_all(draft);
    else if (!draft.acknowledge(answer.rev) || restored) await this.#adopt_all();
  }

  async #refused(draft: Draft, why: { code: string; text: string }): Promise<void> {
    this.refused = why;
    if (why.code === 'seat_taken') {
      draft.take_back();
      this.#stopped = true;
    } else if (FINAL.has(why.code)) {
      draft.take_back();
      await this.end();
    } else {
      await this.#adopt_all(draft);
    }
  }

  /** Reads the files again. A draft on its way is left alone, unless it is the one that was refused. */
  async #adopt_all(refused?: Draft): Promise<void> {
    const files = await this.#port.files().catch(() => undefined);
    if (!files) return;
    for (const file of files) {
      const key = file_key(file);
      const draft = this.#drafts.get(key);
      if (!draft) this.#drafts.set(key, new Draft(name_of(file), file.rev, file.text));
      else if (file.rev >= draft.rev && (!draft.sent || draft === refused)) {
        const changes = draft.adopt(file.text, file.rev);
        if (!changes.empty) this.#port.changed(draft.file, changes);
      }
    }
    const there = new Set(files.map(file_key));
    for (const [key, { file }] of this.#drafts) {
      if (there.has(key)) continue;
      this.#drafts.delete(key);
      void this.#outbox.erase(this.#port.session, file);
    }
    this.#list();
    this.#show();
  }

  #list(): void {
    const files = [...this.#drafts.values()].map(draft => draft.file);
    this.files = files.sort((a, b) => a.question - b.question || (a.name < b.name ? -1 : 1));
  }

  #clean(): boolean {
    return [...this.#drafts.values()].every(draft => draft.is_clean);
  }

  #show(): void {
    if (this.#clean() || this.#stopped) {
      clearTimeout(this.#late_timer);
      this.#late_timer = undefined;
      this.state = this.#clean() ? 'saved' : 'offline';
      for (const resolve of this.#waiting.splice(0)) resolve();
      return;
    }
    if (this.state === 'saved') this.state = 'saving';
    const since = this.frames_stored;
    this.#late_timer ??= setTimeout(() => {
      this.#late_timer = undefined;
      if (this.frames_stored === since) this.state = 'offline';
      this.#show();
    }, OFFLINE_AFTER_MS);
    if (this.state === 'offline' && !this.#on_its_way) this.state = 'saving';
  }

  /** Keystrokes are written to the device a few times a second, what is stored is erased at once. */
  #keep(draft: Draft): void {
    const key = file_key(draft.file);
    const { session } = this.#port;
    if (draft.is_clean) {
      clearTimeout(this.#keep_timers.get(key));
      this.#keep_timers.delete(key);
      void this.#outbox.erase(session, draft.file);
    } else if (!this.#keep_timers.has(key)) {
      const write = () => {
        this.#keep_timers.delete(key);
        const kept = draft.kept(session);
        if (kept && this.#drafts.get(key) === draft) void this.#outbox.put(kept);
      };
      this.#keep_timers.set(key, setTimeout(write, KEEP_AFTER_MS));
    }
  }
}

function name_of({ question, language, name }: FileName): FileName {
  return { question, language, name };
}
