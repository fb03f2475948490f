import type { Refusal } from './wire';

/** What the server would not do, or that it could not be reached (`unreachable`). */
export class Refused extends Error {
  readonly code: string;
  readonly status: number;

  constructor(status: number, why: Refusal) {
    super(why.text);
    this.status = status;
    this.code = why.code;
  }
}

/** Asks the server for JSON; fails with `Refused`. */
export async function api<T>(path: string, options: { method?: string; body?: unknown } = {}): Promise<T> {
  const { method = 'GET', body } = options;
  const response = await fetch(`/api/v1/${path}`, {
    method,
    credentials: 'same-origin',
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  }).catch(() => {
    throw new Refused(0, { code: 'unreachable', text: '' });
  });
  if (!response.ok) throw new Refused(response.status, await refusal(response));
  return (response.status === 204 ? undefined : await response.json()) as T;
}

async function refusal(response: Response): Promise<Refusal> {
  try {
    const { code, text } = (await response.json()) as Partial<Refusal>;
    if (code) return { code, text: text ?? '' };
  } catch {
    // A proxy answered in its own words: the status is all there is.
  }
  return { code: `http_${response.status}`, text: response.statusText };
}
