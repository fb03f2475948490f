import { untrack } from 'svelte';
import type { Live } from '$lib/live.svelte';
import type { Topic } from '$lib/topic.svelte';
import { rules_of, standing, type Placed } from '$lib/wall/standing';
import type { WallYou } from '$lib/wire';
import type { WallRules } from '$lib/wire/WallRules';

/** Where the candidate stands on their campaign's wall, while it tells them. Made in a component, with which it ends. */
export class Place {
  #topic: Topic | undefined = $state.raw();

  constructor(live: Live, campaign: () => string | null) {
    $effect(() => {
      const of = campaign();
      if (of === null) return;
      const topic = untrack(() => live.watch(`place.${of}`));
      this.#topic = topic;
      return () => {
        this.#topic = undefined;
        live.unwatch(topic);
      };
    });
  }

  get you(): WallYou | undefined {
    return this.#topic?.row<WallYou>('you');
  }
  get own(): Placed | undefined {
    return this.rows.find(({ key }) => key === this.you?.key);
  }
  get rules(): WallRules {
    return rules_of(this.#topic?.rows ?? new Map());
  }
  /** Who stands around them, in order of rank. */
  get rows(): Placed[] {
    return standing(this.#topic?.rows ?? new Map());
  }
}
