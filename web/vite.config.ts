import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// `npm run dev` speaks to the mock, or to a real server named by EARMARK_URL.
const target = process.env.EARMARK_URL ?? 'http://127.0.0.1:4681';
// The server refuses what seems to come from another site: it must see the name that the browser asked for.
const server = { target, changeOrigin: false };

export default defineConfig({
  plugins: [svelte()],
  // Relative addresses, so that the page also works behind a proxy that puts it below a path.
  base: './',
  build: {
    // The first browsers with CSS light-dark(), which the two themes use.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    // No data: addresses for scripts and styles, and no inline script: the server's CSP forbids them.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Licences of what is bundled, beside it.
    license: { fileName: 'licences.txt' },
    reportCompressedSize: false,
  },
  server: { proxy: { '/v1': server, '/healthz': server, '/readyz': server } },
});
