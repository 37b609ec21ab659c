import { rmSync } from 'node:fs';
import { expect, test as base, type APIRequestContext, type Locator, type Page, type Route } from '@playwright/test';
import type { PageName } from '../src/lib/router.svelte';

/** A test fails where the browser refuses something by the Content-Security-Policy, or an error goes unseen. */
export const test = base.extend<{ complaints: void }>({
  complaints: [
    async ({ page }, use) => {
      const heard: string[] = [];
      page.on('pageerror', (error) => heard.push(String(error)));
      page.on('console', (message) => {
        if (/Content Security Policy|Uncaught/.test(message.text())) heard.push(message.text());
      });
      await use();
      expect(heard).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

export const rows = (page: Page): Locator => page.getByTestId('results').getByRole('article');
export const box = (page: Page): Locator => page.getByLabel('Describe a sound');

/** The names of the rows' clips, from the top. */
export const names = (page: Page): Promise<string[]> => rows(page).getByRole('heading').allTextContents();

/** Whether some sound is playing: its button says so. */
export const pauseButtons = (page: Page): Locator => page.getByRole('button', { name: /^Pause / });

/** Searches by words and waits for the answer. */
export async function ask(page: Page, text: string): Promise<void> {
  await box(page).fill(text);
  await expect(page.getByTestId('status')).toHaveText(/match(es)? in \d+ ms/);
}

/** Answers in the server's place with an error. */
export const refuse =
  (status: number, detail: string, headers: Record<string, string> = {}) =>
  (route: Route): Promise<void> =>
    route.fulfill({
      status,
      headers,
      contentType: 'application/problem+json',
      body: JSON.stringify({ title: 'No', status, detail }),
    });

/**
 * Answers a request for duplicates in the server's place: a group of three of its clips, and a file that could not be
 * compared. Gives the requests that were sent.
 */
export async function answerDuplicates(page: Page): Promise<unknown[]> {
  const [keep, trim, unverified] = (await (await page.request.get('/v1/clips?limit=3')).json()).items;
  const sent: unknown[] = [];
  await page.route('**/v1/duplicates', (route) => {
    sent.push(route.request().postDataJSON());
    return route.fulfill({
      json: {
        version: 1,
        groups: [
          {
            keep,
            clips: [
              { clip: trim, relation: 'trim', likeness: 0.974, offset_s: -1.25, gain_db: 6.02 },
              { clip: unverified, relation: 'unverified', likeness: 0.998, offset_s: 0, gain_db: 0 },
            ],
          },
        ],
        clips: 46,
        uncompared: [{ path: '/srv/sounds/gone.wav', reason: 'the file cannot be read' }],
        interrupted: false,
      },
    });
  });
  return sent;
}

/** Opens a page of the application and waits until it stands. */
export async function open(page: Page, name: PageName, query = ''): Promise<void> {
  await page.goto(`/#/${name}${query}`);
  await expect(page.getByRole('navigation', { name: 'Pages' })).toBeVisible();
}

/** A file made here: half a second of barks, mono WAV at 16 kHz. */
export function SOUND(name: string, seconds = 2): { name: string; mimeType: string; buffer: Buffer } {
  const rate = 16_000;
  const n = Math.round(seconds * rate);
  const buffer = Buffer.alloc(44 + n * 2);
  buffer.write('RIFF', 0);
  buffer.writeUInt32LE(36 + n * 2, 4);
  buffer.write('WAVEfmt ', 8);
  buffer.writeUInt32LE(16, 16);
  buffer.writeUInt16LE(1, 20);
  buffer.writeUInt16LE(1, 22);
  buffer.writeUInt32LE(rate, 24);
  buffer.writeUInt32LE(rate * 2, 28);
  buffer.writeUInt16LE(2, 32);
  buffer.writeUInt16LE(16, 34);
  buffer.write('data', 36);
  buffer.writeUInt32LE(n * 2, 40);
  for (let i = 0; i < n; i++) {
    const t = i / rate;
    const loud = t % 0.5 < 0.2 ? Math.exp(-(t % 0.5) * 9) : 0;
    buffer.writeInt16LE(
      Math.round(20_000 * loud * Math.sin(2 * Math.PI * 420 * t + 3 * Math.sin(2 * Math.PI * 170 * t))),
      44 + i * 2,
    );
  }
  return { name, mimeType: 'audio/wav', buffer };
}

interface Uploaded {
  id: string;
  path: string;
}

/**
 * Adds files made here, all of the same sound, to the index, and removes them after `use`. The mock takes none.
 */
export async function uploaded(
  request: APIRequestContext,
  files: string[],
  use: (clips: Uploaded[]) => Promise<void>,
): Promise<void> {
  const clips: Uploaded[] = [];
  try {
    for (const name of files) {
      const answer = await request.post('/v1/clips', {
        multipart: {
          request: { name: 'request', mimeType: 'application/json', buffer: Buffer.from('{}') },
          file: SOUND(name),
        },
      });
      expect(answer.ok(), await answer.text()).toBe(true);
      clips.push(await answer.json());
    }
    await use(clips);
  } finally {
    for (const { id, path } of clips) {
      await request.delete(`/v1/clips/${id}`);
      rmSync(path, { force: true });
    }
  }
}

/** Drops a file made here on the page, as a file manager does. */
export async function drop(page: Page, name: string, seconds = 2): Promise<void> {
  const bytes = SOUND(name, seconds).buffer.toString('base64');
  const transfer = await page.evaluateHandle(
    ([bytes, name]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(atob(bytes!), (c) => c.charCodeAt(0))], name!, { type: 'audio/wav' }));
      return data;
    },
    [bytes, name],
  );
  for (const type of ['dragenter', 'dragover', 'drop'])
    await page.dispatchEvent('body', type, { dataTransfer: transfer });
}
