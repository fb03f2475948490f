/** What the list of validators and the pane beside it show of a run. */
import type { ResultRow, RunRow, ValidatorShown, Verdict } from '$lib/wire';

/** A run as the page shows it: the stored row, and what is told of it while it goes on. */
export type RunView = Omit<RunRow, 'state'> & { state: 'queued' | 'running' | 'judged'; /** How many come before it, and how long that may take; while it waits. */ before: number | null; wait_s: number | null };

/** Row `state` of a run's output. */
export type RunState = { state: 'queued'; place: number; wait_ms: number } | { state: 'compiling' } | { state: 'running'; validator: number };

/** Joins a run's row with what is told while it goes on. */
export function view_of(row: RunRow, state: RunState | undefined, judged: ResultRow[]): RunView {
  if (row.state === 'judged') return { ...row, state: 'judged', before: null, wait_s: null };
  const queued = state?.state === 'queued' ? state : undefined;
  const waits = { before: queued ? queued.place - 1 : null, wait_s: queued ? Math.ceil(queued.wait_ms / 1_000) : null };
  return { ...row, state: state && state.state !== 'queued' ? 'running' : 'queued', ...waits, results: judged };
}

export type Line = {
  validator: number;
  name: string;
  shown: boolean;
  state: Verdict | 'running' | 'waiting' | 'not_run';
  result: ResultRow | undefined;
};

/** One line a validator: its result in the last run, or how far that run is. */
export function lines(validators: readonly ValidatorShown[], run: RunView | undefined): Line[] {
  let next_runs = run?.state === 'running';
  return validators.map(({ name, shown }, validator) => {
    const result = run?.results.find(one => one.validator === validator);
    if (result) return { validator, name, shown, state: result.verdict, result };
    const covered = run !== undefined && run.state !== 'judged' && (run.kind !== 'examples' || shown);
    const state = !covered ? 'not_run' : next_runs ? 'running' : 'waiting';
    if (state === 'running') next_runs = false;
    return { validator, name, shown, state, result };
  });
}

/** The validator that a person wants to see first: the first one shown that did not pass. */
export function most_telling(all: readonly Line[]): number {
  const failed = (line: Line) => line.result !== undefined && line.result.verdict !== 'accepted';
  return (all.find(line => failed(line) && line.shown) ?? all.find(failed) ?? all.find(line => line.result) ?? all[0])?.validator ?? 0;
}

/** The line that a detail of the runner names ("wrong on line 3"), if it names one. */
export function line_of(detail: string): number | undefined {
  const found = /\bon line (\d+)\b/.exec(detail);
  return found ? Number(found[1]) : undefined;
}

/** A word of output, the space before it, and whether the other text has the same in this place. */
export type Word = { space: string; text: string; same: boolean };

const COMPARED_CHARS = 16_384;

/** Compares two texts line by line and word by word, each in its own place. */
export function compared(text: string, other: string): Word[] {
  const others = other.slice(0, COMPARED_CHARS).split('\n').map(line => line.split(/\s+/).filter(Boolean));
  return text
    .slice(0, COMPARED_CHARS)
    .split('\n')
    .flatMap((line, row) => {
      const found = [...line.matchAll(/(\s*)(\S+)/g)];
      const words = found.map(([, space = '', word = ''], i) => ({ space: (row > 0 && i === 0 ? '\n' : '') + space, text: word, same: others[row]?.[i] === word }));
      return words.length ? words : [{ space: row > 0 ? '\n' : '', text: '', same: true }];
    });
}
