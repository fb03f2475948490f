export type Theme = 'light' | 'dark';

const KEPT = 'polycode.theme';

class Look {
  #theme: Theme = $state(kept() ?? (globalThis.matchMedia?.('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'));

  constructor() {
    const theme = kept();
    if (theme) document.documentElement.dataset.theme = theme;
  }

  get theme(): Theme {
    return this.#theme;
  }

  switch(): void {
    this.#theme = this.#theme === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset.theme = this.#theme;
    localStorage.setItem(KEPT, this.#theme);
  }
}

function kept(): Theme | undefined {
  const theme = globalThis.localStorage?.getItem(KEPT);
  return theme === 'light' || theme === 'dark' ? theme : undefined;
}

export const look = new Look();
