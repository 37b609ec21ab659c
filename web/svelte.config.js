import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

export default {
  preprocess: vitePreprocess(),
  // By content, not by path: the build is then the same wherever the checkout lies.
  compilerOptions: { cssHash: ({ hash, css }) => `s${hash(css)}` },
};
