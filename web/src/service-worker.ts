/// <reference types="@sveltejs/kit" />
/// <reference lib="webworker" />
/** Keeps the shell on the device, so that a page can be loaded again while the connection is away. Never /api nor /ws. */
import { build, files, version } from '$service-worker';

const worker = globalThis.self as unknown as ServiceWorkerGlobalScope;
const SHELL = `shell-${version}`;
const KEPT = new Set([...build, ...files]);

worker.addEventListener('install', event => {
  event.waitUntil(caches.open(SHELL).then(cache => cache.addAll(['/', ...KEPT])));
});

worker.addEventListener('activate', event => {
  event.waitUntil(caches.keys().then(keys => Promise.all(keys.filter(key => key !== SHELL).map(key => caches.delete(key)))));
});

worker.addEventListener('fetch', event => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== location.origin) return;
  if (KEPT.has(pathname)) event.respondWith(caches.match(request).then(hit => hit ?? fetch(request)));
  // A new version is taken whenever the server answers; the kept shell is for when it does not.
  else if (request.mode === 'navigate') event.respondWith(fetch(request).catch(async () => (await caches.match('/')) ?? Response.error()));
});
