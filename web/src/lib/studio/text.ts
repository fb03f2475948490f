import type { ChangeSet } from '@codemirror/state';

/** `text` after `changes`. */
export function applied(text: string, changes: ChangeSet): string {
  let next = '';
  let at = 0;
  changes.iterChanges((from, to, _from, _to, inserted) => {
    next += text.slice(at, from) + inserted.toString();
    at = to;
  });
  return next + text.slice(at);
}

/** A text on one line, cut short. */
export function one_line(text: string, max = 15): string {
  const line = text.trimEnd().replace(/\r?\n/g, ' ↵ ');
  const characters = [...line];
  return characters.length > max ? `${characters.slice(0, max - 1).join('').trimEnd()}…` : line;
}
