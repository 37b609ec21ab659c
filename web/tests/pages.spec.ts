// Classify, events, index and map.
// Against the mock or a real server that has indexed index-data/sounds: only what both libraries have is named.

import { ask, drop, expect, open, pauseButtons, rows, test } from './helpers';

const LABELS = 'telephone ringing\nchurch bell\nsiren\nspeech';

test('classify: a bar for each label, for dropped files and for clips', async ({ page }) => {
  await open(page, 'search');
  await ask(page, 'dog barking');
  await rows(page)
    .first()
    .getByRole('link', { name: /^Classify/ })
    .click();
  await page.getByLabel('Labels, one a line').fill('dog barking\nrain\npiano');
  await expect(page.getByTestId('result')).toHaveCount(1);
  await expect(page.getByTestId('result').locator('.verdict')).toHaveText('dog barking');
  await expect(page.getByTestId('result').locator('dt')).toHaveCount(4);
  await drop(page, 'mine.wav');
  await expect(page.getByTestId('result')).toHaveCount(2);
  await page.getByLabel('Several labels may fit at once').check();
  await expect(page.getByTestId('result').first().locator('dt')).toHaveCount(3);
  await page
    .getByLabel('Sound files')
    .setInputFiles({ name: 'broken.wav', mimeType: 'audio/wav', buffer: Buffer.from('not a sound '.repeat(20)) });
  await expect(page.getByRole('alert').first()).toBeVisible();
});

for (const name of ['Classify', 'Find events'])
  test(`${name}: labels that the model hardly knows are named`, async ({ page }) => {
    await open(page, 'search');
    await ask(page, 'dog barking');
    await rows(page)
      .first()
      .getByRole('link', { name: new RegExp(`^${name}`) })
      .click();
    const labels = page.getByLabel('Labels, one a line');
    await labels.fill('dog barking\nqwertyuiop');
    await expect(page.getByTestId('unfamiliar')).toContainText('hardly knows “qwertyuiop”, so');
    await labels.fill('dog barking\nrain');
    await expect(page.getByTestId('unfamiliar')).toBeEmpty();
  });

test('label sets are kept and used again', async ({ page }) => {
  await open(page, 'classify');
  await page.getByLabel('Labels, one a line').fill('rain\nwind');
  await page.getByText('Save these labels').click();
  await page.getByPlaceholder('name of the set').fill('page-test');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Saved as page-test')).toBeVisible();
  await page.getByLabel('Labels, one a line').fill('');
  await page.getByLabel('Saved label sets').selectOption('');
  await page.getByLabel('Saved label sets').selectOption({ label: 'page-test (2)' });
  await expect(page.getByLabel('Labels, one a line')).toHaveValue('rain\nwind');
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(page.getByText('Deleted page-test')).toBeVisible();
});

test('events: regions, sliders that answer at once, exports', async ({ page }) => {
  await open(page, 'search');
  await page.getByRole('button', { name: 'Filters' }).click();
  await page.getByLabel('Path holds').fill('evening-at-home');
  await page.getByRole('link', { name: /^Find events in evening/ }).click();
  const answered = page.waitForResponse((r) => r.url().endsWith('/v1/events'));
  await page.getByLabel('Labels, one a line').fill(LABELS);
  const answer = await (await answered).json();
  const table = page.getByTestId('events');
  await expect(table).toContainText('church bell');
  await expect(page.getByTestId('lane')).toHaveCount(4);
  await expect(page.getByAltText('Spectrogram of the recording')).toBeVisible();
  // With the server's own settings the page finds what the server found.
  if (answer.events.length) await expect(table.locator('tbody tr')).toHaveCount(answer.events.length);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Audacity labels' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('evening-at-home.txt');
  // No request goes out when a slider moves.
  let asked = 0;
  page.on('request', (r) => r.url().includes('/v1/events') && asked++);
  // Three seconds at least: the telephone rings for less.
  await page.getByLabel('Shortest event').press('End');
  await expect(table).not.toContainText('telephone ringing');
  await page.getByRole('button', { name: 'Reset' }).click();
  await expect(table).toContainText('telephone ringing');
  expect(asked).toBe(0);
  await table
    .getByRole('button', { name: /^Play from/ })
    .first()
    .click();
  await expect(pauseButtons(page)).toHaveCount(1);
});

test('events in a dropped file', async ({ page }) => {
  await open(page, 'events');
  await drop(page, 'scene.wav', 6);
  await page.getByLabel('Labels, one a line').fill('dog barking\nrain');
  await expect(page.getByTestId('status')).toHaveText(/\d+ events? in 0:06\.0/);
  await expect(page.getByTestId('lane')).toHaveCount(2);
});

test('index: a job with progress to its end', async ({ page }) => {
  await open(page, 'index');
  await expect(page.getByTestId('stats')).toContainText('Clips');
  await page.getByLabel('Do unchanged files again').check();
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  const job = page.getByTestId('job').first();
  await expect(job.getByTestId('state')).toHaveText(/Running|Waiting|Done/);
  const refreshed = page.waitForRequest(/\/v1\/info$/, { timeout: 25_000 });
  await expect(job.getByTestId('state')).toHaveText('Done', { timeout: 25_000 });
  await refreshed;
  await expect(job).toContainText(/\d+ of \d+ files|no new files/);
});

test('index: a job is cancelled', async ({ page }) => {
  await open(page, 'index');
  await page.getByLabel('Do unchanged files again').check();
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  const job = page.getByTestId('job').first();
  await job.getByRole('button', { name: 'Cancel' }).click();
  await expect(job.getByTestId('state')).toHaveText(/Cancelled|Done/);
});

test('map: dots to hear, chosen by keys and by pointer', async ({ page }) => {
  await open(page, 'map');
  const plot = page.getByTestId('map');
  await plot.focus();
  await page.keyboard.press('ArrowRight');
  await expect(page.getByTestId('chosen').getByRole('heading')).toBeVisible();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('+');
  await page.getByRole('button', { name: 'Show all' }).click();
  await page.getByTestId('chosen').getByRole('link', { name: 'Similar' }).click();
  await expect(page.getByTestId('chip')).toHaveCount(1);
  await expect(rows(page).first()).toBeVisible();
});
