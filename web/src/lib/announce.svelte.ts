import { untrack } from 'svelte';

/** What is said to people who hear the page; the layout holds the live region. */
class Announcer {
  text = $state('');

  say(text: string): void {
    // The same words twice are said twice only if the region changes in between.
    const last = untrack(() => this.text);
    this.text = last === text ? `${text}\u00a0` : text;
  }
}

export const announcer = new Announcer();
