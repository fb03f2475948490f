import { Refused } from '$lib/api';

/** Something asked of the server: nothing yet, there, or refused. What was there stays while it is asked for again. */
export class Load<T> {
  value: T | undefined = $state.raw();
  refused: unknown = $state.raw();
  busy = $state(false);

  #asked = 0;
  readonly #ask: () => Promise<T>;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
    void this.again();
  }

  async again(): Promise<void> {
    const asked = ++this.#asked;
    this.busy = true;
    try {
      const value = await this.#ask();
      if (asked !== this.#asked) return;
      this.value = value;
      this.refused = undefined;
    } catch (error) {
      if (asked === this.#asked) this.refused = error;
    }
    this.busy = false;
  }

  get is_missing(): boolean {
    return this.refused instanceof Refused && this.refused.status === 404;
  }
}
