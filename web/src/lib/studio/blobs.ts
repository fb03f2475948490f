import { Refused } from '$lib/api';
import type { Blob as Stored } from '$lib/wire/Blob';

export const BLOB_MAX = 16 * 1024 * 1024;
/** Texts up to this size are shown and edited in the page. */
export const INLINE_MAX = 64 * 1024;

/** Keeps bytes; the same bytes are kept once. */
export async function put_blob(bytes: string | File): Promise<Stored> {
  return send<Stored>('blobs', 'application/octet-stream', bytes);
}

export async function text_of(blob: Stored): Promise<string> {
  if (blob.size === 0) return '';
  const response = await fetch(`/api/v1/blobs/${blob.sha256}`, { credentials: 'same-origin' }).catch(() => {
    throw new Refused(0, { code: 'unreachable', text: '' });
  });
  if (!response.ok) throw new Refused(response.status, { code: response.status === 404 ? 'not_found' : `http_${response.status}`, text: response.statusText });
  return response.text();
}

/** Sends bytes, telling how much has gone, from 0 to 1. */
export function send<T>(path: string, type: string, bytes: string | File, onprogress?: (part: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `/api/v1/${path}`);
    request.setRequestHeader('content-type', type);
    request.responseType = 'json';
    request.upload.onprogress = event => event.lengthComputable && onprogress?.(event.loaded / event.total);
    request.onerror = () => reject(new Refused(0, { code: 'unreachable', text: '' }));
    request.onload = () => {
      const answer = request.response as unknown;
      if (request.status < 300) return resolve(answer as T);
      const { code = `http_${request.status}`, text = request.statusText } = (answer ?? {}) as { code?: string; text?: string };
      reject(new Refused(request.status, { code, text }));
    };
    request.send(bytes);
  });
}
