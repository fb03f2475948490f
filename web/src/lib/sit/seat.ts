/** What this tab remembers: which links were opened in it, and its seat. */
import { random_id } from '$lib/ids';

/** The name of this tab as a seat; another tab or device is another seat. */
export function seat(): string {
  return kept('polycode.seat', random_id);
}

/** The session that was opened by a link in this tab. */
export function opened(code: string): string | null {
  return sessionStorage.getItem(`polycode.opened.${code}`);
}

export function remember_opened(code: string, session: string): void {
  sessionStorage.setItem(`polycode.opened.${code}`, session);
}

export function forget_opened(code: string): void {
  sessionStorage.removeItem(`polycode.opened.${code}`);
}

function kept(key: string, make: () => string): string {
  const found = sessionStorage.getItem(key) ?? make();
  sessionStorage.setItem(key, found);
  return found;
}
