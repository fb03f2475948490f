import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';

const SERVER = process.env.POLYCODE_SERVER ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [sveltekit()],
  // Tests run what the browser runs, not what a server would render.
  resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
  server: { proxy: { '/api': SERVER, '/ws': { target: SERVER, ws: true } } },
  build: { target: 'es2023' },
  test: { include: ['src/**/*.test.ts'], environment: 'node', maxWorkers: 1 },
});
