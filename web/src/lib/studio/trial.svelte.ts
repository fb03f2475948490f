import { SvelteMap } from 'svelte/reactivity';
import type { Code } from '$lib/wire/Code';
import type { Content } from '$lib/wire/Content';
import type { Outcome } from '$lib/wire/Outcome';
import type { Validator } from '$lib/wire/Validator';
import type { ValidatorResult } from '$lib/wire/ValidatorResult';
import { lines } from './ndjson';

type Line = { type: 'compiling' } | { type: 'running'; validator: number } | { type: 'judged'; result: ValidatorResult } | { type: 'done'; outcome: Outcome };

/** The creator's own solution on all validators: each verdict as it falls. */
export class Trial {
  state: 'none' | 'compiling' | 'running' | 'done' = $state('none');
  refused: unknown = $state.raw();
  outcome: Outcome | undefined = $state.raw();

  #results = new SvelteMap<string, ValidatorResult | 'running'>();
  #abort: AbortController | undefined;
  /** What was tried, to say when it has changed since. */
  #tried = $state('');

  get is_on(): boolean {
    return this.state === 'compiling' || this.state === 'running';
  }

  of(validator: Validator): ValidatorResult | 'running' | undefined {
    return this.#results.get(key_of(validator));
  }

  is_stale(code: Code): boolean {
    return this.state === 'done' && this.#tried !== fingerprint(code);
  }

  async run(document: Content, code: Code): Promise<void> {
    const { solution, validators } = code;
    if (!solution || this.is_on) return;
    const keys = validators.map(key_of);
    this.#results.clear();
    this.refused = this.outcome = undefined;
    this.state = 'compiling';
    this.#tried = fingerprint(code);
    this.#abort = new AbortController();
    try {
      for await (const line of lines<Line>('contents/try', { document, ...solution }, this.#abort.signal)) this.#take(line, keys);
      if (this.is_on) this.state = 'done';
    } catch (error) {
      this.state = this.outcome ? 'done' : 'none';
      if (!this.#abort.signal.aborted) this.refused = error;
    }
    for (const [key, result] of this.#results) if (result === 'running') this.#results.delete(key);
  }

  stop(): void {
    this.#abort?.abort();
  }

  #take(line: Line, keys: string[]): void {
    if (line.type === 'compiling') this.state = 'compiling';
    else if (line.type === 'done') {
      this.outcome = line.outcome;
      for (const result of line.outcome.results) this.#results.set(keys[result.validator] ?? '', result);
      this.state = 'done';
    } else {
      this.state = 'running';
      const [validator, result] = line.type === 'running' ? [line.validator, 'running' as const] : [line.result.validator, line.result];
      this.#results.set(keys[validator] ?? '', result);
    }
  }
}

function key_of({ name, input, expected }: Validator): string {
  return `${name}\n${input.sha256}\n${expected.sha256}`;
}

function fingerprint({ solution, limits, comparison, judging, validators }: Code): string {
  return JSON.stringify([solution, limits, comparison, judging, validators.map(key_of)]);
}
