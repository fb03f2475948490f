import { Refused } from '$lib/api';

/** Asks for an answer that comes line by line, each a JSON value, while the work goes on. */
export async function* lines<T>(path: string, body: unknown, signal?: AbortSignal): AsyncGenerator<T> {
  const response = await fetch(`/api/v1/${path}`, {
    method: 'POST',
    credentials: 'same-origin',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: signal ?? null,
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new Refused(0, { code: 'unreachable', text: '' });
  });
  if (!response.ok || !response.body) throw new Refused(response.status, (await response.json().catch(() => ({ code: `http_${response.status}`, text: response.statusText }))) as { code: string; text: string });
  yield* split<T>(response.body);
}

export async function* split<T>(bytes: ReadableStream<Uint8Array>): AsyncGenerator<T> {
  const reader = bytes.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    rest += decoder.decode(value, { stream: !done });
    const whole = rest.split('\n');
    rest = done ? '' : (whole.pop() ?? '');
    for (const line of whole) if (line.trim()) yield JSON.parse(line) as T;
    if (done) return;
  }
}
