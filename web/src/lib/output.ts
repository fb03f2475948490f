/** What a run prints while it goes on, put together from what the server sends. */
import type { OutputRow } from './wire';

/** Text that was printed or typed; `skipped` bytes before it are kept no more. */
export type Piece = { text: string; typed: boolean; skipped: number };

/** What a channel has printed so far, and what was typed in between; `offset` is that of its last chunk. */
export type Output = { offset: number; pieces: Piece[] };

/** Of more text than this the head and the tail are kept. */
export const KEPT_CHARS = 256 * 1024;

/** Joins chunks, each named by the offset of its first byte; one that came before is left out. */
export function append_output(old: unknown, next: unknown): unknown {
  // The other rows, the state and the verdicts, replace what was there.
  if (typeof (next as Partial<OutputRow>).offset !== 'number') return next;
  const [before, chunk] = [old as Output | undefined, next as OutputRow];
  if (before && chunk.offset <= before.offset) return before;
  const piece = { text: chunk.text, typed: chunk.typed ?? false, skipped: chunk.skipped ?? 0 };
  return { offset: chunk.offset, pieces: bounded(joined(before?.pieces ?? [], piece)) };
}

/** All of it as one text. */
export function text_of(output: Output | undefined): string {
  return output?.pieces.map(piece => piece.text).join('') ?? '';
}

function joined(pieces: readonly Piece[], next: Piece): Piece[] {
  const last = pieces.at(-1);
  if (!last || last.typed || next.typed || next.skipped > 0) return [...pieces, next];
  return [...pieces.slice(0, -1), { ...last, text: last.text + next.text }];
}

function bounded(pieces: Piece[]): Piece[] {
  const text = pieces.map(piece => piece.text).join('');
  if (text.length <= KEPT_CHARS) return pieces;
  const skipped = pieces.reduce((sum, piece) => sum + piece.skipped, 0);
  const half = KEPT_CHARS / 4;
  const [head, tail] = [text.slice(0, half), text.slice(-half)];
  return [{ text: head, typed: false, skipped: 0 }, { text: tail, typed: false, skipped: skipped + text.length - 2 * half }];
}
