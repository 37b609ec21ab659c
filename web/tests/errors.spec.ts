// What the page says when something is wrong.
// Against the mock or a real server that has indexed index-data/sounds: only what both libraries have is named.

import { accessible } from './axe';
import { box, expect, open, pauseButtons, refuse, rows, test } from './helpers';

test('a server that is gone', async ({ page }) => {
  await open(page, 'search');
  await page.route('**/v1/search', (route) => route.abort());
  await box(page).fill('rain');
  await expect(page.getByRole('alert')).toContainText('No answer from the server');
  await page.unroute('**/v1/search');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(rows(page).first()).toBeVisible();
});

test('a key is asked for, once, and sent', async ({ page }) => {
  // The server behind has no keys: what it gets is without.
  await page.route('**/v1/**', (route) => {
    const { authorization, ...headers } = route.request().headers();
    return authorization === 'Bearer secret'
      ? route.continue({ headers })
      : refuse(401, 'This server needs an API key.')(route);
  });
  await open(page, 'search');
  await expect(page.getByRole('dialog')).toBeVisible();
  await accessible(page);
  await page.getByLabel('API key').fill('secret');
  await page.getByRole('button', { name: 'Use this key' }).click();
  await expect(rows(page).first()).toBeVisible();
  await expect(page.getByRole('dialog')).toBeHidden();
  // The sound itself cannot carry a key: it is fetched, and played from memory.
  await rows(page)
    .filter({ hasText: /\.(wav|flac|mp3)/ })
    .first()
    .getByRole('button', { name: /^Play / })
    .click();
  await expect(pauseButtons(page)).toHaveCount(1);
});

test('a busy server is asked again after its time', async ({ page }) => {
  await open(page, 'search');
  let calls = 0;
  await page.route('**/v1/search', (route) =>
    calls++ === 0 ? refuse(429, 'The queue is full.', { 'retry-after': '2' })(route) : route.continue(),
  );
  await box(page).fill('rain');
  await expect(page.getByRole('alert')).toContainText('The server is busy');
  await expect(page.getByText(/Trying again in \d s/)).toBeVisible();
  await expect(rows(page).first()).toBeVisible();
  expect(calls).toBe(2);
});

test('a file that is no sound', async ({ page }) => {
  await open(page, 'events');
  await page.getByLabel('Sound file').setInputFiles({
    name: 'notes.wav',
    mimeType: 'audio/wav',
    buffer: Buffer.from('These are notes, not a sound. '.repeat(20)),
  });
  await page.getByLabel('Labels, one a line').fill('rain');
  await expect(page.getByRole('alert')).toContainText(/cannot be read|not a kind of file/i);
});

test('a server that is still loading is asked again', async ({ page }) => {
  let calls = 0;
  await page.route('**/v1/clips?**', (route) =>
    calls++ === 0 ? refuse(503, 'The model is being loaded.', { 'retry-after': '1' })(route) : route.continue(),
  );
  await open(page, 'search');
  await expect(page.getByRole('alert')).toContainText('still loading');
  await expect(rows(page).first()).toBeVisible();
});

test('an empty library says what to do', async ({ page }) => {
  await page.route('**/v1/clips?**', (route) => route.fulfill({ json: { items: [], next_cursor: null, total: 0 } }));
  await open(page, 'search');
  await expect(page.getByText('The library is empty')).toBeVisible();
  await page.getByRole('link', { name: 'Index a folder of sounds' }).click();
  await expect(page.getByRole('heading', { name: 'Index', exact: true })).toBeVisible();
});

test('a sound that the browser cannot play says so', async ({ page }) => {
  await page.route('**/audio', (route) => route.fulfill({ contentType: 'audio/x-aiff', body: 'FORM' }));
  await open(page, 'search');
  await page
    .getByRole('button', { name: /^Play / })
    .first()
    .click();
  await expect(page.getByRole('alert')).toContainText('cannot play this file');
});

test('a job is followed without its stream, too', async ({ page }) => {
  await page.route('**/v1/jobs/*/events', (route) => route.abort());
  await open(page, 'index');
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.getByTestId('job').first().getByTestId('state')).toHaveText('Done', { timeout: 25_000 });
});

test('a job that the server refuses says why', async ({ page }) => {
  await open(page, 'index');
  await page.getByLabel('Folder below it').fill('../../etc');
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.getByRole('status').filter({ hasText: /etc|root|allowed/ })).toBeVisible();
});
