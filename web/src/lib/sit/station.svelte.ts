import { api } from '$lib/api';
import { clock } from '$lib/clock.svelte';
import type { Live } from '$lib/live.svelte';
import { Outbox } from '$lib/outbox';
import type { CheckAnswer } from '$lib/wire';

const CLOCK_RIGHT_MS = 2_000;
const PING_WITHIN_MS = 5_000;

/** What this computer can do, found out by doing it. */
export class Station {
  rtt_ms: number | null | 'checking' = $state('checking');
  storage: boolean | 'checking' = $state('checking');
  run: CheckAnswer | 'checking' | 'failed' = $state('checking');
  readonly #live: Live;
  readonly #session: string;

  constructor(live: Live, session: string) {
    this.#live = live;
    this.#session = session;
  }

  /** How far the clock of this device is off, or `null` if it is right. */
  get clock_off_ms(): number | null {
    const ahead = clock.device_ahead_ms;
    return ahead !== null && Math.abs(ahead) > CLOCK_RIGHT_MS ? ahead : null;
  }

  async check(): Promise<void> {
    this.rtt_ms = this.storage = this.run = 'checking';
    await Promise.all([this.#connection(), this.#storage(), this.#trial()]);
  }

  async #connection(): Promise<void> {
    this.#live.rtt_ms = null;
    this.#live.ping();
    const until = performance.now() + PING_WITHIN_MS;
    while (this.#live.rtt_ms === null && performance.now() < until) await new Promise(resolve => setTimeout(resolve, 50));
    this.rtt_ms = this.#live.rtt_ms;
  }

  async #storage(): Promise<void> {
    this.storage = await new Outbox().durable;
  }

  async #trial(): Promise<void> {
    try {
      const answer = await api<CheckAnswer>(`sit/${this.#session}/check`, { method: 'POST' });
      this.run = answer.ok ? answer : 'failed';
    } catch {
      this.run = 'failed';
    }
  }
}
