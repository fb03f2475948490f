const SAMPLES_KEPT = 8;
const FINE_BELOW_MS = 10_000;

/**
 * The server's time on this page. It counts on the monotonic clock, so a changed wall clock moves nothing,
 * and ticks once a second; ten times a second while the leading deadline is under ten seconds away.
 */
export class Clock {
  /** The server's time at the last tick, in ms since 1970. */
  now = $state(0);
  /** Whether the server has told its time; until then `now` is this device's. */
  known = $state(false);
  /** How far this device's wall clock is ahead of the server, in ms; `null` until known. */
  device_ahead_ms: number | null = $state(null);

  #offset_ms = Date.now() - performance.now();
  #samples: { offset_ms: number; rtt_ms: number }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lead: number | null = null;

  constructor() {
    this.#tick();
  }

  /** The server's time at this instant. */
  exact(): number {
    return performance.now() + this.#offset_ms;
  }

  /** Milliseconds until `ends_at` as of the last tick, never negative. */
  remaining(ends_at: number): number {
    return Math.max(0, ends_at - this.now);
  }

  /** Takes one measurement: the server said `server_ms` between `sent` and `received` (monotonic). */
  sync(server_ms: number, sent: number, received: number): void {
    const rtt_ms = received - sent;
    this.#samples = [...this.#samples, { offset_ms: server_ms - (sent + received) / 2, rtt_ms }].slice(-SAMPLES_KEPT);
    const best = this.#samples.reduce((a, b) => (b.rtt_ms < a.rtt_ms ? b : a));
    this.#offset_ms = best.offset_ms;
    this.known = true;
    this.device_ahead_ms = Date.now() - this.exact();
    this.#tick();
  }

  /** Forgets the measurements: the monotonic clock may have stood still while the device slept. */
  doubt(): void {
    this.#samples = [];
  }

  /** Ticks at the moments when the seconds left until `ends_at` change. */
  follow(ends_at: number | null): void {
    if (this.#lead === ends_at) return;
    this.#lead = ends_at;
    this.#tick();
  }

  #tick(): void {
    clearTimeout(this.#timer);
    this.now = this.exact();
    this.#timer = setTimeout(() => this.#tick(), until_next(this.now, this.#lead));
  }
}

/** How long to wait for the next moment at which a shown number changes. */
export function until_next(now: number, lead: number | null): number {
  const left = (lead ?? 0) - now;
  const step = left > 0 && left <= FINE_BELOW_MS ? 100 : 1_000;
  const rest = (((left % step) + step) % step) || step;
  return rest + 2;
}

export const clock = new Clock();
