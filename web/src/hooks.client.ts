/** With `?mock=<scene>` a page under development talks to a server that it makes up. Not in the build. */
export async function init(): Promise<void> {
  if (!import.meta.env.DEV) return;
  const scene = new URLSearchParams(location.search).get('mock');
  if (scene) (await import('./mock')).pretend(scene);
}
