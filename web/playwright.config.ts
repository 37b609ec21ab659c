import { defineConfig } from '@playwright/test';

// Against the mock by default, or against a real server that has indexed index-data/sounds: EARMARK_URL=http://127.0.0.1:4680
const port = 4682;
export const url = process.env.EARMARK_URL ?? `http://127.0.0.1:${port}`;

export default defineConfig({
  testDir: 'tests',
  workers: 1,
  timeout: 30_000,
  expect: { timeout: 8_000 },
  reporter: [['list']],
  use: {
    baseURL: url,
    browserName: 'chromium',
    launchOptions: {
      // Debian's browser; Playwright's own cannot be downloaded everywhere.
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--autoplay-policy=no-user-gesture-required',
        '--use-fake-ui-for-media-stream',
        '--use-fake-device-for-media-stream',
      ],
    },
    permissions: ['microphone', 'clipboard-read', 'clipboard-write'],
    trace: 'off',
  },
  ...(process.env.EARMARK_URL
    ? {}
    : {
        webServer: {
          command: `node mock/server.mjs ${port}`,
          url: `http://127.0.0.1:${port}/healthz`,
          reuseExistingServer: true,
        },
      }),
});
