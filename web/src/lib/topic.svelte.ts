import { SvelteMap } from 'svelte/reactivity';
import type { ClientFrame, Row, RowsFrame } from './wire';

/** Which rows of a joined topic the page looks at. */
export type Window = { from: number; count: number };

/** How a new value of a row joins the one before it; most replace it. */
export type Merge = (old: unknown, next: unknown) => unknown;

/** The rows of one topic, as of `seq`. The server decides; the page only puts. */
export class Topic {
  readonly name: string;
  readonly rows = new SvelteMap<string, unknown>();
  /** Whether a whole reading has come. */
  ready = $state(false);
  /** When the last frame came, monotonic. */
  heard_at = $state(0);
  window: Window | undefined;
  watchers = 0;

  #epoch: number | undefined;
  #seq = 0;
  #reading: { reset: boolean; rows: Row[] } | undefined;
  /** Other rows were asked for: what still comes of the ones before is not ours. */
  #begins_anew = false;
  readonly #merge: Merge;

  constructor(name: string, merge: Merge = (_, next) => next) {
    this.name = name;
    this.#merge = merge;
  }

  row<T>(key: string): T | undefined {
    return this.rows.get(key) as T | undefined;
  }

  /** The rows whose key begins with `prefix`, in order of key. */
  under<T>(prefix: string): [key: string, value: T][] {
    return [...this.rows].filter(([key]) => key.startsWith(prefix)) as [string, T][];
  }

  /** Asks for what came after the last whole reading. */
  request(): Extract<ClientFrame, { type: 'watch' }> {
    this.#reading = undefined;
    const since = this.#epoch === undefined ? {} : { epoch: this.#epoch, after_seq: this.#seq };
    return { type: 'watch', topic: this.name, ...since, ...(this.window && { window: this.window }) };
  }

  /** Asks for all of it again. */
  forget(): void {
    this.#epoch = undefined;
    this.#reading = undefined;
    this.#begins_anew = true;
  }

  /** Whether the server is further than this page: a frame was lost. */
  is_behind([epoch, seq]: [number, number]): boolean {
    return this.ready && this.#reading === undefined && (epoch !== this.#epoch || seq > this.#seq);
  }

  /** Puts a frame; answers `false` if one before it is missing, so that the topic must be asked for again. */
  put(frame: RowsFrame): boolean {
    this.heard_at = performance.now();
    // Each part of a topic has epochs of its own, so that only a part may begin with a lower one.
    const is_part_anew = frame.reset === true && this.window !== undefined;
    if (this.#epoch !== undefined && frame.epoch < this.#epoch && !is_part_anew) return true;
    if (this.#begins_anew && !frame.reset && !this.#reading) return true;
    this.#begins_anew = false;
    const reading = this.#reading;
    if (!reading && !frame.reset && frame.epoch === this.#epoch && frame.seq < this.#seq) return true;
    if (!reading && !frame.reset && !this.#follows(frame)) return false;
    const rows = reading && !frame.reset ? [...reading.rows, ...frame.rows] : frame.rows;
    const reset = frame.reset ?? reading?.reset ?? false;
    if (frame.more) {
      this.#reading = { reset, rows };
      return true;
    }
    this.#reading = undefined;
    this.#apply(rows, reset);
    this.#epoch = frame.epoch;
    this.#seq = frame.seq;
    this.ready = true;
    return true;
  }

  #follows(frame: RowsFrame): boolean {
    if (frame.epoch !== this.#epoch) return this.#epoch === undefined;
    return frame.prev === undefined || frame.prev <= this.#seq;
  }

  #apply(rows: Row[], reset: boolean): void {
    if (reset) {
      const kept = new Set(rows.map(row => row.key));
      for (const key of [...this.rows.keys()]) if (!kept.has(key)) this.rows.delete(key);
    }
    const begun = new Set<string>();
    for (const { key, value } of rows) {
      const old = reset && !begun.has(key) ? undefined : this.rows.get(key);
      begun.add(key);
      if (value === null) this.rows.delete(key);
      else this.rows.set(key, this.#merge(old, value));
    }
  }
}
