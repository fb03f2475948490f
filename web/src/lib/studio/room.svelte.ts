import { api } from '$lib/api';
import { clock } from '$lib/clock.svelte';
import type { Live } from '$lib/live.svelte';
import type { Topic } from '$lib/topic.svelte';
import type { CampaignRow } from '$lib/wire/CampaignRow';
import type { CandidateRow } from '$lib/wire/CandidateRow';
import type { CampaignAnswer, CandidateView } from './campaigns';
import { Load } from './load.svelte';

/** Row `c.<session>` of `monitor.<campaign>`. */
export type Watched = { name: string; tags: string[]; candidate: CandidateRow };

/** A campaign with its candidates: as asked for once, kept current by the live rows. */
export class Room {
  readonly id: string;
  readonly load: Load<CampaignAnswer>;
  readonly topic: Topic;

  campaign: CampaignRow | undefined = $derived.by(() => this.topic.row<CampaignRow>('campaign') ?? this.load.value?.campaign);
  candidates: CandidateView[] = $derived.by(() => (this.load.value?.candidates ?? []).map(view => this.#current(view)));

  readonly #live: Live;

  constructor(id: string, live: Live) {
    this.id = id;
    this.#live = live;
    this.topic = live.watch(`monitor.${id}`);
    this.load = new Load(async () => {
      const sent = performance.now();
      const answer = await api<CampaignAnswer>(`campaigns/${id}`);
      if (!clock.known) clock.sync(answer.now, sent, performance.now());
      return answer;
    });
  }

  leave(): void {
    this.#live.unwatch(this.topic);
  }

  /** Asks the server to do something with this campaign, then reads it again. */
  async do<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body: unknown = {}): Promise<T> {
    const answer = await api<T>(`campaigns/${this.id}${path}`, { method, body });
    await this.load.again();
    return answer;
  }

  #current(view: CandidateView): CandidateView {
    const watched = this.topic.row<Watched>(`c.${view.session}`);
    return watched ? { ...view, name: watched.name, tags: watched.tags, row: watched.candidate } : view;
  }
}
