import { file_key, type Kept } from './draft';
import type { FileName } from './wire';

const DATABASE = 'polycode';
const STORE = 'drafts';

/** What the server does not have yet, kept on this device by session and file. Erased once it is acknowledged. */
export class Outbox {
  /** Whether this browser keeps it when the page is closed. */
  readonly durable: Promise<boolean>;
  readonly #database: Promise<IDBDatabase | undefined>;
  readonly #memory = new Map<string, Kept>();

  constructor() {
    this.#database = opened().catch(() => undefined);
    this.durable = this.#database.then(database => database !== undefined);
  }

  async put(kept: Kept): Promise<void> {
    const key = `${kept.session}/${file_key(kept.file)}`;
    this.#memory.set(key, kept);
    await this.#write(store => store.put(kept, key));
  }

  async erase(session: string, file: FileName): Promise<void> {
    const key = `${session}/${file_key(file)}`;
    this.#memory.delete(key);
    await this.#write(store => store.delete(key));
  }

  /** Forgets a session: it is sealed, or the person signed out. */
  async erase_session(session: string): Promise<void> {
    for (const { file } of await this.of(session)) await this.erase(session, file);
  }

  async of(session: string): Promise<Kept[]> {
    const database = await this.#database;
    if (!database) return [...this.#memory.values()].filter(kept => kept.session === session);
    const range = IDBKeyRange.bound(`${session}/`, `${session}0`);
    const request = database.transaction(STORE, 'readonly').objectStore(STORE).getAll(range);
    return (await done(request)) as Kept[];
  }

  async #write(act: (store: IDBObjectStore) => IDBRequest): Promise<void> {
    const database = await this.#database;
    if (!database) return;
    await done(act(database.transaction(STORE, 'readwrite').objectStore(STORE))).catch(() => undefined);
  }
}

function opened(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return done(request);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the database of this browser failed'));
  });
}
