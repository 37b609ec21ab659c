// The page of duplicates.
// Against the mock or a real server that has indexed index-data/sounds: only what both libraries have is named.

import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { answerDuplicates, expect, open, pauseButtons, refuse, test, uploaded } from './helpers';

const find = (page: Page) => page.getByRole('button', { name: 'Find duplicates' }).click();
const clips = (page: Page) => page.getByTestId('group').getByTestId('clip');
const status = (page: Page) => page.getByTestId('status');

test('groups show the clip to keep and how the others differ from it', async ({ page }) => {
  await answerDuplicates(page);
  await open(page, 'duplicates');
  await expect(page.getByText('Nothing was compared yet')).toBeVisible();
  await find(page);
  await expect(status(page)).toHaveText('1 group with 2 clips to spare, of 46 clips');
  await expect(clips(page)).toHaveCount(3);
  await expect(clips(page).nth(0).getByText('keep', { exact: true })).toBeVisible();
  const trim = clips(page).nth(1);
  await expect(trim.getByText('trim', { exact: true })).toBeVisible();
  await expect(trim).toContainText('likeness 0.97');
  await expect(trim).toContainText('offset −1.25 s');
  await expect(trim).toContainText('gain +6.0 dB');
  // What was not compared has neither.
  await expect(clips(page).nth(2)).toContainText('likeness 1.00');
  await expect(clips(page).nth(2)).not.toContainText(/offset|gain/);
  await page.getByText('1 file could not be compared').click();
  await expect(page.getByTestId('uncompared')).toContainText('/srv/sounds/gone.wav: the file cannot be read');
});

test('clips of a group are played one at a time', async ({ page }) => {
  await answerDuplicates(page);
  await open(page, 'duplicates');
  await find(page);
  for (const place of [0, 1]) {
    await clips(page)
      .nth(place)
      .getByRole('button', { name: /^Play / })
      .click();
    await expect(
      clips(page)
        .nth(place)
        .getByRole('button', { name: /^Pause / }),
    ).toBeVisible();
    await expect(pauseButtons(page)).toHaveCount(1);
  }
});

test('filters, threshold and order are sent, and a change of them is announced', async ({ page }) => {
  const sent = await answerDuplicates(page);
  await open(page, 'duplicates');
  await find(page);
  await expect(clips(page)).toHaveCount(3);
  const order = ['length', 'format', 'rate', 'channels'];
  expect(sent[0]).toEqual({ filter: {}, threshold: 0.95, keep: order, verify: true });
  await page.getByLabel('Path holds').fill('*.wav');
  await page.getByLabel('Least likeness').fill('0.9');
  await page.getByLabel('Compare the files').uncheck();
  // What is chosen first leaves its old place, and the shorter path ends the order.
  await page.getByLabel('1.').selectOption('rate');
  await page.getByLabel('3.').selectOption('');
  await expect(page.getByLabel('1.')).toHaveValue('rate');
  await expect(page.getByText('The settings have changed since')).toBeVisible();
  await find(page);
  await expect(page.getByText('The settings have changed since')).toBeHidden();
  expect(sent[1]).toEqual({
    filter: { path: '*.wav' },
    threshold: 0.9,
    keep: ['rate', 'format'],
    verify: false,
  });
  // The groups are still there after a look at another page.
  await open(page, 'index');
  await open(page, 'duplicates');
  await expect(clips(page)).toHaveCount(3);
});

test('the groups are saved as a table', async ({ page }) => {
  await answerDuplicates(page);
  await open(page, 'duplicates');
  await find(page);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'CSV' }).click(),
  ]);
  const lines = (await readFile((await download.path())!, 'utf8')).trim().split('\r\n');
  expect(lines).toHaveLength(4);
  expect(lines[1]).toMatch(/^1,true,/);
  expect(lines[2]).toMatch(/^1,false,.*,trim,0\.9740,-1\.250,6\.02,/);
});

test('while it lasts, the page says for how long, and need not wait', async ({ page }) => {
  await page.route('**/v1/duplicates', () => {});
  await open(page, 'duplicates');
  await find(page);
  await expect(status(page)).toHaveText(/^Comparing clips for [1-9] s…$/);
  await expect(page.getByText('The server does not say how far it is.')).toBeVisible();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByText('Nothing was compared yet')).toBeVisible();
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('without duplicates, and without clips, it says so', async ({ page }) => {
  const none = { version: 1, groups: [], uncompared: [], interrupted: false };
  let looked = 46;
  await page.route('**/v1/duplicates', (route) => route.fulfill({ json: { ...none, clips: looked } }));
  await open(page, 'duplicates');
  await find(page);
  await expect(status(page)).toHaveText('No duplicates among 46 clips');
  looked = 0;
  await find(page);
  await expect(page.getByText('The library is empty')).toBeVisible();
  await page.getByLabel('Path holds').fill('nothing');
  await find(page);
  await expect(page.getByText('No clip passes the filters')).toBeVisible();
});

test('a request that took too long is not sent again by itself', async ({ page }) => {
  let calls = 0;
  await page.route('**/v1/duplicates', (route) => {
    calls++;
    return refuse(503, 'the request took too long', { 'retry-after': '1' })(route);
  });
  await open(page, 'duplicates');
  await find(page);
  await expect(page.getByRole('alert')).toContainText('The server did not finish');
  await page.waitForTimeout(1500);
  expect(calls).toBe(1);
  await page.unroute('**/v1/duplicates');
  await answerDuplicates(page);
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(clips(page)).toHaveCount(3);
});

test('copies in the library are found', async ({ page, request }) => {
  test.skip(!process.env.EARMARK_URL, 'the mock takes no files');
  await uploaded(request, ['zebra-one.wav', 'zebra-two.wav'], async () => {
    await open(page, 'duplicates');
    await page.getByLabel('Path holds').fill('zebra');
    await find(page);
    await expect(status(page)).toHaveText('1 group with 1 clip to spare, of 2 clips');
    await expect(clips(page).nth(0)).toContainText('zebra-one.wav');
    await expect(clips(page).nth(1).getByText('copy', { exact: true })).toBeVisible();
  });
});
