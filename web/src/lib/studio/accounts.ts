/** Other people's accounts, as an administrator sees them. */
import type { Role } from '$lib/wire/Role';

export type Account = { id: string; name: string; email: string; role: Role; state: 'active' | 'invited' | 'disabled'; link_until: number | null };
/** A new link with which a password is chosen; its token is told once. */
export type Invited = { account: Account; token: string };

/** The whole link. What follows `#` is never sent to a server by itself, nor written to its logs. */
export function welcome_link({ account, token }: Invited): string {
  return new URL(`/welcome/${account.id}#${token}`, location.href).href;
}

/** As the server counts: nine characters. */
export const PASSWORD_MIN = 9;

/** How many characters a password still lacks. */
export function missing_in(password: string): number {
  return Math.max(0, PASSWORD_MIN - [...password].length);
}
