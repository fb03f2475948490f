import { Refused } from '$lib/api';
import { studio } from '$lib/words/studio';

/** What went wrong, in the person's words; what has no words of ours is said in the server's. */
export function problem(error: unknown): string {
  const { code, message } = error instanceof Refused ? error : { code: 'unreachable', message: String(error) };
  return problem_of(code, message);
}

export function problem_of(code: string, message: string): string {
  const t = studio().problem;
  const known: Partial<Record<string, string | ((text: string) => string)>> = t;
  const said = known[code];
  return typeof said === 'string' ? said : (said ?? t.other)(message || code);
}
