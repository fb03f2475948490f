import { ChangeSet, Text } from '@codemirror/state';
import type { FileName } from './wire';

/** One frame of edits, under the id by which the server knows it again. */
export type Sent = { command_id: string; base_rev: number; changes: unknown; caret: number };

/** What the device keeps of a file until the server has it. */
export type Kept = { session: string; file: FileName; rev: number; text: string; sent: Sent | null; pending: unknown };

/** One file as the server has it, what is on its way, and what is not sent yet. */
export class Draft {
  readonly file: FileName;
  caret = 0;

  #rev: number;
  #stored: Text;
  #sent: { frame: Sent; changes: ChangeSet } | null = null;
  #pending: ChangeSet | null = null;

  constructor(file: FileName, rev: number, text: string) {
    this.file = file;
    this.#rev = rev;
    this.#stored = doc(text);
  }

  /** A draft as an earlier page left it; `undefined` if what was kept does not fit together. */
  static restored(kept: Kept): Draft | undefined {
    const draft = new Draft(kept.file, kept.rev, kept.text);
    try {
      if (kept.sent) draft.#sent = { frame: kept.sent, changes: ChangeSet.fromJSON(kept.sent.changes) };
      if (kept.pending) draft.#pending = ChangeSet.fromJSON(kept.pending);
      draft.text();
      return draft;
    } catch {
      return undefined;
    }
  }

  get rev(): number {
    return this.#rev;
  }
  get sent(): Sent | null {
    return this.#sent?.frame ?? null;
  }
  get is_clean(): boolean {
    return this.#sent === null && this.#pending === null;
  }
  get has_pending(): boolean {
    return this.#pending !== null;
  }

  /** The text as the person sees it. */
  text(): string {
    const text = this.#pending?.apply(this.#shown()) ?? this.#shown();
    return text.toString();
  }

  edit(changes: ChangeSet, caret: number): void {
    this.caret = caret;
    this.#pending = this.#pending?.compose(changes) ?? changes;
  }

  /** Turns all that is pending into one frame. */
  take(command_id: string): Sent {
    const changes = this.#pending;
    if (!changes || this.#sent) throw new Error('take() only when something is pending and nothing is on its way');
    const frame = { command_id, base_rev: this.#rev, changes: well_formed(changes.toJSON()), caret: this.caret };
    this.#sent = { frame, changes };
    this.#pending = null;
    return frame;
  }

  /** The server has it as `rev`. Answers `false` if it changed it on the way: then `adopt` its text. */
  acknowledge(rev: number): boolean {
    const plain = this.#sent !== null && rev === this.#sent.frame.base_rev + 1;
    this.#stored = this.#shown();
    this.#sent = null;
    this.#rev = rev;
    return plain;
  }

  /** The server will not have it: the frame becomes pending again, to be sent anew. */
  take_back(): void {
    const sent = this.#sent?.changes;
    if (sent) this.#pending = this.#pending ? sent.compose(this.#pending) : sent;
    this.#sent = null;
  }

  /** The server's text counts; what is pending is kept above it. Answers what the editor must change. */
  adopt(text: string, rev: number): ChangeSet {
    const shown = this.#shown();
    const diff = difference(shown, text);
    const pending = this.#pending;
    this.#stored = doc(text);
    this.#sent = null;
    this.#rev = rev;
    if (!pending) return diff;
    this.#pending = pending.map(diff);
    return diff.map(pending, true);
  }

  /** What to keep on this device, or `null` if the server has all of it. */
  kept(session: string): Kept | null {
    if (this.is_clean) return null;
    const pending: unknown = this.#pending?.toJSON() ?? null;
    return { session, file: { ...this.file }, rev: this.#rev, text: this.#stored.toString(), sent: this.sent, pending };
  }

  /** What is stored with what is on its way. */
  #shown(): Text {
    return this.#sent?.changes.apply(this.#stored) ?? this.#stored;
  }
}

/** The smallest single replacement that turns `from` into `to`. */
export function difference(from: Text, to: string): ChangeSet {
  const old = from.toString();
  const shorter = Math.min(old.length, to.length);
  let start = 0;
  while (start < shorter && old[start] === to[start]) start += 1;
  let end = 0;
  while (end < shorter - start && old[old.length - 1 - end] === to[to.length - 1 - end]) end += 1;
  if (start === old.length && start === to.length) return ChangeSet.empty(old.length);
  return ChangeSet.of({ from: start, to: old.length - end, insert: doc(to.slice(start, to.length - end)) }, old.length);
}

/** Replaces NUL and lone surrogates, which no server can store, each by one character. */
export function well_formed<T>(json: T): T {
  if (typeof json === 'string') return json.toWellFormed().replaceAll('\0', '\ufffd') as T;
  return (Array.isArray(json) ? json.map(well_formed) : json) as T;
}

export function file_key(file: FileName): string {
  return `${file.question}/${file.language}/${file.name}`;
}

function doc(text: string): Text {
  return Text.of(text.split('\n'));
}
