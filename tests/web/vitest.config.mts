// Tests of the page and the client in a real browser against real gateways. They use the libraries
// of gateway/web, which is why this file imports nothing: run them there, `npm run test:browser`.
const web = new URL("../../gateway/web/", import.meta.url).pathname;
const library = (path: string) => `${web}node_modules/${path}`;

export default {
  root: new URL(".", import.meta.url).pathname,
  cacheDir: library(".vite-browser"),
  resolve: {
    alias: [
      { find: /^vitest$/, replacement: library("vitest/dist/index.js") },
      { find: /^ws$/, replacement: library("ws/wrapper.mjs") },
      { find: /^playwright-core$/, replacement: library("playwright-core/index.mjs") },
    ],
  },
  test: {
    include: ["*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // One browser at a time: two cores are shared with the gateways.
    fileParallelism: false,
  },
};
