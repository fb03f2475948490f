import { api, Refused } from '$lib/api';

const PAUSE_MS = 700;
const RETRY_MS = 4_000;

export type Stored<D> = { id: string; owner: string; version: number; edition: number; is_frozen: boolean; is_archived: boolean; document: D; missing: string[] };
export type Saving = 'saved' | 'saving' | 'offline' | 'refused' | 'clash';

/** Saves a document a moment after it was changed, one save at a time, never over somebody else's. */
export class Autosave<D> {
  state: Saving = $state('saved');
  why: unknown = $state.raw();
  version = $state(0);
  is_frozen = $state(false);
  /** When the last save was stored, on this device's clock. */
  saved_at: number | null = $state(null);

  #edition: number;
  #stored: string;
  #wanted: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #busy: Promise<void> | undefined;
  readonly #path: string;

  constructor(path: string, { version, edition, is_frozen, document }: Stored<D>) {
    this.#path = path;
    this.#edition = edition;
    this.version = version;
    this.is_frozen = is_frozen;
    this.#stored = this.#wanted = JSON.stringify(document);
  }

  /** Takes the document as it is now. */
  touch(json: string): void {
    if (json === this.#wanted) return;
    this.#wanted = json;
    if (this.state === 'clash') return;
    this.#later(PAUSE_MS);
  }

  /** Whether something is not stored yet. */
  get is_dirty(): boolean {
    return this.#wanted !== this.#stored;
  }

  /** Resolves once what is there now is stored, or could not be. */
  async flush(): Promise<boolean> {
    clearTimeout(this.#timer);
    while (this.#busy) await this.#busy;
    if (this.is_dirty && this.state !== 'clash') await this.#save();
    return this.state === 'saved';
  }

  /** Saves over what somebody else has saved. */
  async overwrite(): Promise<void> {
    const { edition } = await api<Stored<D>>(this.#path);
    this.#edition = edition;
    this.state = 'saving';
    await this.#save();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #later(wait_ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void (this.#busy ? this.#later(PAUSE_MS) : this.#save()), wait_ms);
    if (this.state === 'saved' || this.state === 'refused') this.state = 'saving';
  }

  #save(): Promise<void> {
    return (this.#busy = this.#put().finally(() => (this.#busy = undefined)));
  }

  async #put(): Promise<void> {
    const sent = this.#wanted;
    try {
      const body = { edition: this.#edition, document: JSON.parse(sent) as D };
      const answer = await api<{ version: number; edition: number }>(this.#path, { method: 'PUT', body });
      this.#edition = answer.edition;
      if (answer.version !== this.version) this.is_frozen = false;
      this.version = answer.version;
      this.#stored = sent;
      this.saved_at = Date.now();
      this.why = undefined;
      if (this.is_dirty) this.#later(PAUSE_MS);
      else this.state = 'saved';
    } catch (error) {
      this.why = error;
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (error instanceof Refused && error.code === 'changed_elsewhere') this.state = 'clash';
    else if (error instanceof Refused && error.status >= 400 && error.status < 500) this.state = 'refused';
    else {
      this.state = 'offline';
      this.#later(RETRY_MS);
    }
  }
}
