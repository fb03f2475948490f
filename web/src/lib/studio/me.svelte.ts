import { api, Refused } from '$lib/api';
import type { Role } from '$lib/wire/Role';

export type Person = { id: string; name: string; email: string; role: Role };

/** Who is signed in on this device: `undefined` until the server has said, `null` if nobody. */
class Me {
  person: Person | null | undefined = $state();

  async ask(): Promise<Person | null> {
    if (this.person) return this.person;
    try {
      ({ person: this.person } = await api<{ person: Person }>('me'));
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 401) throw error;
      this.person = null;
    }
    return this.person ?? null;
  }

  async sign_in(email: string, password: string): Promise<void> {
    ({ person: this.person } = await api<{ person: Person }>('sign-in', { method: 'POST', body: { email, password } }));
  }

  async set_up(body: { token: string; name: string; email: string; password: string }): Promise<void> {
    ({ person: this.person } = await api<{ person: Person }>('setup', { method: 'POST', body }));
  }

  /** Chooses a password with a one-time link, and is signed in with it. */
  async choose(path: string, token: string, password: string): Promise<void> {
    ({ person: this.person } = await api<{ person: Person }>(path, { method: 'PUT', body: { token, password } }));
  }

  async sign_out(): Promise<void> {
    await api('sign-out', { method: 'POST', body: {} });
    this.person = null;
  }
}

export const me = new Me();
