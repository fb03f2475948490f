import { getContext, setContext } from 'svelte';
import { clock, type Clock } from './clock.svelte';
import { random_id } from './ids';
import { Topic, type Merge, type Window } from './topic.svelte';
import type { ClientFrame, Refusal, ServerFrame } from './wire';

const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 1_500;
/** After so many tries in vain, half a minute, it is patient. */
const PROMPT_TRIES = 40;
const RETRY_PATIENT_MS = 8_000;
const PING_EVERY_MS = 5_000;
/** Nothing heard for this long: the link is dead, whatever the socket says. */
const SILENCE_MAX_MS = 12_000;
/** A command without an answer is sent again after this long, under its own id. */
const ANSWER_WITHIN_MS = 10_000;

/** `closed`: the server said not to come back (see `closed_code`). */
export type Link = 'connecting' | 'live' | 'lost' | 'closed';

/** What became of a command: it is durable, or it was refused. */
export type Outcome = { ok: true; answer: unknown; epoch: number; seq: number } | { ok: false; why: Refusal };

type Asked = {
  frame: Extract<ClientFrame, { type: 'do' }>;
  sent_at: number | null;
  wait_until: number;
  settle: (outcome: Outcome) => void;
};

/** The page's one socket: reconnects, resumes every topic where it stopped, resends what has no answer. */
export class Live {
  link: Link = $state('connecting');
  /** Since when the link is lost and when it is tried again, monotonic. */
  lost_at: number | null = $state(null);
  retry_at: number | null = $state(null);
  closed_code: number | null = $state(null);
  /** Round trip of the last ping. */
  rtt_ms: number | null = $state(null);
  /** Why the server takes nothing for the moment, while it is asked again. */
  waits_for: string | undefined = $state();
  /** Why what was last typed into a run did not reach it. */
  untyped: { submission: string; why: Refusal } | null = $state(null);

  #socket: WebSocket | undefined;
  #failures = 0;
  #retry_after_ms = 0;
  #heard_at = 0;
  #topics = new Map<string, Topic>();
  #asked = new Map<string, Asked>();
  #timers: { retry?: ReturnType<typeof setTimeout>; ping?: ReturnType<typeof setInterval> } = {};
  readonly #url: string;
  readonly #clock: Clock;

  constructor(url: string, time: Clock = clock) {
    this.#url = url;
    this.#clock = time;
    globalThis.addEventListener?.('online', () => this.retry());
    globalThis.document?.addEventListener('visibilitychange', () => this.#wake());
  }

  /** The rows of a topic, kept current until as many `unwatch` as `watch` were called. */
  watch(name: string, options: { window?: Window; merge?: Merge } = {}): Topic {
    let topic = this.#topics.get(name);
    if (!topic) this.#topics.set(name, (topic = new Topic(name, options.merge)));
    topic.watchers += 1;
    if (options.window) topic.window = options.window;
    if (topic.watchers === 1 || options.window) this.#send(topic.request());
    this.open();
    return topic;
  }

  /** Looks at other rows of a watched topic; without a window at its beginning. */
  look_at(topic: Topic, window?: Window): void {
    topic.window = window;
    topic.forget();
    this.#send(topic.request());
  }

  unwatch(topic: Topic): void {
    topic.watchers -= 1;
    if (topic.watchers > 0 || this.#topics.get(topic.name) !== topic) return;
    this.#topics.delete(topic.name);
    this.#send({ type: 'unwatch', topic: topic.name });
  }

  /** Resolves when the command is durable or refused. `again`: an earlier page may have sent it. */
  do(to: string, command: unknown, { id = random_id(), again = false } = {}): Promise<Outcome> {
    return new Promise(settle => {
      const frame: Asked['frame'] = { type: 'do', command_id: id, to, command };
      const asked: Asked = { frame, sent_at: again ? 0 : null, wait_until: 0, settle };
      this.#asked.set(id, asked);
      this.#ask(asked);
      this.open();
    });
  }

  /** Types into a run, or stops it: now, or not at all. Answers whether it went out. */
  tell(frame: Extract<ClientFrame, { type: 'type' | 'end_input' | 'stop' }>): boolean {
    this.untyped = null;
    return this.#send(frame);
  }

  /** Measures the round trip, and asks which topics have moved on. */
  ping(): void {
    const rtt = this.rtt_ms === null ? {} : { rtt_ms: this.rtt_ms };
    this.#send({ type: 'ping', sent_ms: performance.now(), ...rtt });
  }

  /** Connects if there is no socket yet. */
  open(): void {
    if (this.#socket || this.#timers.retry || this.link === 'closed') return;
    this.#connect();
  }

  /** Tries again now instead of at `retry_at`. */
  retry(): void {
    if (!this.#timers.retry) return;
    clearTimeout(this.#timers.retry);
    this.#connect();
  }

  /** Connects anew, if there is something to connect for: whoever is here has just become somebody else. */
  reopen(): void {
    this.#stop();
    this.closed_code = null;
    this.link = 'connecting';
    const socket = this.#socket;
    this.#socket = undefined;
    if (this.#topics.size > 0 || this.#asked.size > 0) this.#connect();
    socket?.close(1000);
  }

  /** Leaves: the socket is closed and stays so. */
  close(): void {
    this.link = 'closed';
    this.#stop();
    this.#socket?.close(1000);
  }

  #connect(): void {
    delete this.#timers.retry;
    this.retry_at = null;
    if (this.link !== 'lost') this.link = 'connecting';
    const socket = (this.#socket = new WebSocket(this.#url));
    socket.onmessage = message => {
      if (socket === this.#socket) this.#receive(JSON.parse(message.data as string) as ServerFrame);
    };
    socket.onopen = () => this.#opened();
    socket.onclose = event => {
      if (socket === this.#socket) this.#lost(event.code);
    };
  }

  #opened(): void {
    this.link = 'live';
    this.lost_at = null;
    this.#heard_at = performance.now();
    this.#clock.doubt();
    this.ping();
    for (const topic of this.#topics.values()) this.#send(topic.request());
    for (const asked of this.#asked.values()) this.#ask(asked);
    clearInterval(this.#timers.ping);
    this.#timers.ping = setInterval(() => this.#beat(), PING_EVERY_MS);
  }

  #lost(code: number): void {
    this.#stop();
    this.#socket = undefined;
    if (this.link === 'closed') return;
    if (code >= 4_500 && code < 5_000) {
      this.link = 'closed';
      this.closed_code = code;
      return;
    }
    const now = performance.now();
    this.link = 'lost';
    this.lost_at ??= now;
    const most = this.#failures < PROMPT_TRIES ? RETRY_MAX_MS : RETRY_PATIENT_MS;
    const spread = Math.min(most, RETRY_MIN_MS * 2 ** this.#failures);
    const wait_ms = this.#retry_after_ms + Math.random() * spread;
    this.#failures += 1;
    this.#retry_after_ms = 0;
    this.retry_at = now + wait_ms;
    this.#timers.retry = setTimeout(() => this.#connect(), wait_ms);
  }

  #receive(frame: ServerFrame): void {
    this.#heard_at = performance.now();
    switch (frame.type) {
      case 'pong':
        return this.#pong(frame);
      case 'rows': {
        const topic = this.#topics.get(frame.topic);
        if (topic && !topic.put(frame)) this.#send(topic.request());
        return;
      }
      case 'done':
        return this.#settle(frame.command_id, { ok: true, answer: frame.answer, epoch: frame.epoch, seq: frame.seq });
      case 'refused':
        return this.#refused(frame.command_id, frame.why);
      case 'unwatched':
        return this.#unwatched(frame);
      case 'untyped':
        this.untyped = frame;
        return;
      case 'bye':
        this.#retry_after_ms = frame.retry_after_ms ?? 0;
        return;
      default:
        return frame satisfies never;
    }
  }

  #pong(frame: Extract<ServerFrame, { type: 'pong' }>): void {
    const now = performance.now();
    this.#failures = 0;
    this.rtt_ms = now - frame.sent_ms;
    this.#clock.sync(frame.server_ms, frame.sent_ms, now);
    for (const [name, head] of Object.entries(frame.heads)) {
      const topic = this.#topics.get(name);
      if (topic?.is_behind(head)) this.#send(topic.request());
    }
  }

  /** Not ours to see: it stays as it is. If only for now, it is asked for again. */
  #unwatched({ topic: name, why }: Extract<ServerFrame, { type: 'unwatched' }>): void {
    if (why.retry_after_ms === undefined) return;
    const topic = this.#topics.get(name);
    setTimeout(() => topic && this.#topics.get(name) === topic && this.#send(topic.request()), why.retry_after_ms * (1 + Math.random() / 4));
  }

  #refused(command_id: string, why: Refusal): void {
    const asked = this.#asked.get(command_id);
    if (asked && why.retry_after_ms !== undefined) {
      this.waits_for = why.code;
      const wait_ms = why.retry_after_ms * (1 + Math.random() / 4);
      asked.wait_until = performance.now() + wait_ms;
      setTimeout(() => this.#asked.get(command_id) === asked && this.#ask(asked), wait_ms);
      return;
    }
    this.#settle(command_id, { ok: false, why });
  }

  #settle(command_id: string, outcome: Outcome): void {
    const asked = this.#asked.get(command_id);
    this.#asked.delete(command_id);
    this.waits_for = undefined;
    asked?.settle(outcome);
  }

  #ask(asked: Asked): void {
    if (performance.now() < asked.wait_until - 1) return;
    const frame = asked.sent_at === null ? { ...asked.frame, first: true as const } : asked.frame;
    if (this.#send(frame)) asked.sent_at = performance.now();
  }

  #beat(): void {
    const now = performance.now();
    if (now - this.#heard_at > SILENCE_MAX_MS) {
      const socket = this.#socket;
      this.#lost(1006);
      socket?.close();
      return;
    }
    this.ping();
    for (const asked of this.#asked.values()) {
      if (asked.sent_at !== null && now - asked.sent_at > ANSWER_WITHIN_MS) this.#ask(asked);
    }
  }

  #wake(): void {
    if (document.visibilityState !== 'visible') return;
    this.#clock.doubt();
    this.retry();
    this.ping();
  }

  #stop(): void {
    clearInterval(this.#timers.ping);
    clearTimeout(this.#timers.retry);
    this.#timers = {};
  }

  #send(frame: ClientFrame): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }
}

const KEY = Symbol('live');

/** Makes the page's socket for all components below. */
export function provide_live(): Live {
  const url = new URL('/ws?v=1', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  return setContext(KEY, new Live(url.href));
}

export function use_live(): Live {
  return getContext<Live>(KEY);
}
