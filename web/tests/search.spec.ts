// The search page.
// Against the mock or a real server that has indexed index-data/sounds: only what both libraries have is named.

import { rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { ask, box, drop, expect, names, open, pauseButtons, rows, test, uploaded } from './helpers';

/** What the page sends for the next search. */
const nextSearch = async (page: Page) =>
  (await page.waitForRequest((r) => r.url().endsWith('/v1/search'))).postDataJSON();

test('answers while words are typed, and the address can be shared', async ({ page }) => {
  await open(page, 'search');
  await expect(rows(page).first()).toBeVisible(); // The library stands there before anything is asked.
  await box(page).pressSequentially('dog barking', { delay: 20 });
  await expect(rows(page).first()).toContainText('dog');
  await expect(page).toHaveURL(/q=dog\+barking/);
  await page.reload();
  await expect(box(page)).toHaveValue('dog barking');
  await expect(rows(page).first()).toContainText('dog');
});

test('warns of words that the model hardly knows', async ({ page }) => {
  await open(page, 'search');
  await ask(page, 'dog barking');
  await expect(page.getByTestId('unfamiliar')).toBeEmpty();
  await box(page).fill('qwertyuiop');
  await expect(page.getByTestId('unfamiliar')).toContainText('hardly knows “qwertyuiop”');
  await box(page).fill('');
  await expect(page.getByTestId('unfamiliar')).toBeEmpty();
});

test('plays from the match by button and by a click on the wave', async ({ page }) => {
  await open(page, 'search');
  await ask(page, 'church bell');
  const row = rows(page)
    .filter({ hasText: /\.(wav|flac|ogg|mp3)/ })
    .first();
  await row.getByRole('button', { name: /^Play / }).click();
  await expect(pauseButtons(page)).toHaveCount(1);
  const shown = async () => (await row.textContent())!;
  const seconds = (text: string | undefined) =>
    (text ?? '0:0').split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  const from = seconds(/match ([\d:.]+)/.exec(await shown())?.[1]);
  await expect.poll(async () => seconds(/(\d+:[\d.]+) \/ /.exec(await shown())?.[1])).toBeGreaterThanOrEqual(from);
  await pauseButtons(page).click();
  await expect(pauseButtons(page)).toHaveCount(0);
  await row.getByTestId('wave').click({ position: { x: 5, y: 20 } });
  await expect(pauseButtons(page)).toHaveCount(1);
});

test('one sound plays at a time', async ({ page }) => {
  await open(page, 'search');
  await expect(rows(page).nth(5)).toBeVisible();
  const play = page.getByRole('button', { name: /^Play .*\.(wav|flac|mp3)$/ });
  const names = await play.evaluateAll((all) => all.slice(0, 2).map((b) => b.getAttribute('aria-label')!.slice(5)));
  expect(names).toHaveLength(2);
  await page.getByRole('button', { name: `Play ${names[0]}` }).click();
  await expect(page.getByRole('button', { name: `Pause ${names[0]}` })).toBeVisible();
  await page.getByRole('button', { name: `Play ${names[1]}` }).click();
  await expect(page.getByRole('button', { name: `Pause ${names[1]}` })).toBeVisible();
  await expect(pauseButtons(page)).toHaveCount(1);
});

test('takes a dropped file as an example', async ({ page }) => {
  await open(page, 'search');
  await drop(page, 'example.wav');
  await expect(page.getByTestId('chip')).toContainText('example.wav');
  await expect(page.getByTestId('status')).toHaveText(/in \d+ ms/);
});

test('records from the microphone', async ({ page }) => {
  await open(page, 'search');
  await page.getByRole('button', { name: 'Record' }).click();
  await expect(page.getByRole('dialog')).toContainText(/0:01/);
  await page.getByRole('button', { name: 'Stop and use' }).click();
  await expect(page.getByTestId('chip')).toContainText('recording.wav');
  await expect(page.getByTestId('status')).toHaveText(/in \d+ ms/);
});

test('more and less like a row become chips that change the answer', async ({ page }) => {
  await open(page, 'search');
  await ask(page, 'siren');
  const first = await rows(page).first().getByRole('heading').textContent();
  const sent = page.waitForRequest((r) => r.url().endsWith('/v1/search'));
  await rows(page)
    .first()
    .getByRole('button', { name: /^Less like/ })
    .click();
  const body = (await sent).postDataJSON();
  expect(body.query).toHaveLength(2);
  expect(body.query[1].weight).toBeLessThan(0);
  await expect(page.getByTestId('chip')).toContainText(first!);
  await page
    .getByRole('button', { name: `Remove ${first}` })
    .or(page.getByRole('button', { name: /^Remove / }))
    .first()
    .click();
  await expect(page.getByTestId('chip')).toHaveCount(0);
  await rows(page)
    .first()
    .getByRole('button', { name: /^Similar to/ })
    .click();
  await expect(box(page)).toHaveValue('');
  await expect(rows(page).first()).toBeVisible();
});

test('filters narrow the library, and an empty answer says why', async ({ page }) => {
  await open(page, 'search');
  await page.getByRole('button', { name: 'Filters' }).click();
  await page.getByLabel('Path holds').fill('animals');
  await expect(page.getByTestId('results').getByText('weather')).toHaveCount(0);
  await expect(rows(page).first()).toContainText('animals');
  await page.getByLabel('Path holds').fill('*.wav');
  await expect(page.getByTestId('results').getByText('animals').first()).toBeVisible();
  await expect.poll(async () => (await names(page)).every((name) => name.endsWith('.wav'))).toBe(true);
  await page.getByLabel('Path holds').fill('no-such-folder');
  await expect(page.getByText('No clip passes the filters')).toBeVisible();
  await page.getByRole('button', { name: 'Clear the filters' }).first().click();
  await expect(rows(page).first()).toBeVisible();
  await page.getByLabel('Least score').fill('0.999');
  // No name has the word: those that have are found whatever they sound like.
  await box(page).fill('downpour');
  await expect(page.getByText('Nothing matches')).toBeVisible();
  await page.getByRole('button', { name: 'Show them' }).click();
  await expect(rows(page).first()).toBeVisible();
});

test('searches the names alone or the sound alone', async ({ page }) => {
  await open(page, 'search');
  await ask(page, 'dog');
  const sent = nextSearch(page);
  await page.getByRole('radio', { name: 'Names', exact: true }).click();
  expect((await sent).by).toBe('name');
  await expect(page).toHaveURL(/by=name/);
  await expect.poll(async () => (await names(page)).every((name) => name.includes('dog'))).toBe(true);
  await expect(rows(page).first().getByTestId('reasons')).toHaveText('name: dog');
  await page.reload();
  await expect(page.getByRole('radio', { name: 'Names', exact: true })).toBeChecked();
  await expect(rows(page).first()).toContainText('dog');
  await page.getByRole('radio', { name: 'Names', exact: true }).press('ArrowLeft');
  await expect(page.getByRole('radio', { name: 'Sound', exact: true })).toBeChecked();
  await expect(page).toHaveURL(/by=sound/);
  await expect(rows(page).first().getByTestId('reasons')).toHaveText('sounds like Dog');
  await page.getByRole('radio', { name: 'Names', exact: true }).check();
  await box(page).fill('elephant');
  await expect(page.getByText('No name, folder, tag or description')).toBeVisible();
  await page.getByRole('button', { name: 'Search the sound too' }).click();
  await expect(page.getByRole('radio', { name: 'Sound and names' })).toBeChecked();
  await expect(page).not.toHaveURL(/by=/);
});

test('examples are found by their sound, whatever words are searched in', async ({ page }) => {
  await open(page, 'search');
  await page.getByRole('radio', { name: 'Names', exact: true }).check();
  await expect(rows(page).first()).toBeVisible();
  const sent = nextSearch(page);
  await rows(page)
    .first()
    .getByRole('button', { name: /^Similar to/ })
    .click();
  expect(await sent).not.toHaveProperty('by');
  await expect(page.getByTestId('status')).toHaveText(/in \d+ ms/);
  await expect(rows(page).first()).toBeVisible();
});

test('results are ordered and varied', async ({ page }) => {
  await open(page, 'search');
  await page.getByRole('button', { name: 'Filters' }).click();
  await page.getByLabel('Least score').fill('-1');
  await ask(page, 'bell');
  const best = await names(page);
  const inOrder = async () => {
    const shown = await names(page);
    return shown.join() === shown.toSorted((a, b) => (a < b ? -1 : 1)).join();
  };
  expect(await inOrder()).toBe(false);
  await page.getByLabel('Order of matches').selectOption('name');
  await expect(page).toHaveURL(/sort=name/);
  await expect.poll(inOrder).toBe(true);
  expect((await names(page)).toSorted()).toEqual(best.toSorted());
  // The next page takes its place among the rows.
  await page.getByRole('button', { name: 'Show more' }).click();
  await expect.poll(async () => (await names(page)).length).toBeGreaterThan(20);
  expect(await inOrder()).toBe(true);

  const slider = page.getByLabel('Varied results');
  await expect(slider).toHaveAttribute('aria-valuetext', 'off');
  const sent = nextSearch(page);
  for (let i = 0; i < 5; i++) await slider.press('ArrowRight');
  expect((await sent).diversity).toBe(0.5);
  await expect(page).toHaveURL(/diversity=0.5/);
  await page.reload();
  await expect(page.getByLabel('Varied results')).toHaveValue('0.5');
  await expect(page.getByLabel('Order of matches')).toHaveValue('name');
  await page.getByRole('button', { name: 'Clear the filters' }).click();
  await expect(page).toHaveURL(/#\/search\?q=bell$/);
});

test('a row says how likely it is, and why', async ({ page }) => {
  await open(page, 'search');
  await ask(page, 'dog barking');
  const row = rows(page).first();
  const likely = row.getByTestId('probability');
  await expect(likely).toContainText(/\d+\s%/);
  await expect(likely).toHaveAttribute(
    'title',
    /^How likely this is what you asked for, by its sound and its name\. Cosine 0\.\d\d/,
  );
  await expect(row).toHaveAccessibleName(/^1\. dog-barking\.wav, (>\s)?\d+\s% likely$/);
  const reasons = await row.getByTestId('reasons').locator('.chip').allTextContents();
  expect(reasons[0]).toBe('name: dog barking');
  const heard = reasons.find((reason) => reason.startsWith('sounds like '))!.slice('sounds like '.length);
  // What both have leaves out what is said already.
  const shares = row.getByTitle('What each sound class that both have adds to the score').locator('.chip');
  expect(await shares.count()).toBeGreaterThan(0);
  for (const share of await shares.allTextContents()) expect(share.replace(/ [\d.]+$/, '')).not.toBe(heard);

  await expect(row.getByText('weak', { exact: true })).toHaveCount(0);

  // A search by example has cosines alone.
  await row.getByRole('button', { name: /^Similar to/ }).click();
  await expect(page.getByTestId('status')).toHaveText(/in \d+ ms/);
  await expect(rows(page).first()).toHaveAccessibleName(/score \d\.\d\d$/);
  await expect(page.getByTestId('probability')).toHaveCount(0);
});

test('says so where all results are weak', async ({ page }) => {
  await open(page, 'search');
  const note = page.getByTestId('all-weak');
  await ask(page, 'elephant in the night');
  await expect(note).toHaveText('Nothing fits well: all results are weak guesses.');
  await expect(rows(page).first().getByText('weak', { exact: true })).toBeVisible();
  await expect(rows(page).first()).toHaveAccessibleName(/likely, weak$/);
  await box(page).fill('dog barking');
  await expect(note).toBeEmpty();
  await box(page).fill('');
  await expect(note).toBeEmpty();
});

test('a clip whose file is missing is marked and cannot be played', async ({ page, request }) => {
  test.skip(!process.env.EARMARK_URL, 'the sounds of the mock have no files');
  await uploaded(request, ['zebra-crossing.wav'], async ([clip]) => {
    await open(page, 'search');
    await ask(page, 'zebra');
    const row = rows(page).filter({ hasText: 'zebra-crossing.wav' });
    await expect(row.getByRole('button', { name: /^Play / })).toBeEnabled();
    rmSync(clip!.path);
    await page.reload();
    await expect(row).toHaveAccessibleName(/, file missing$/);
    await expect(row.getByText('file missing', { exact: true })).toBeVisible();
    await expect(row).toContainText('so it cannot be played or downloaded');
    await expect(row.getByRole('button', { name: /^Play / })).toBeDisabled();
    const download = row.getByRole('button', { name: /^Download / });
    await expect(download).toBeDisabled();
    await expect(download).toHaveAttribute('title', /cannot be played or downloaded/);
    // Keys do not play it either.
    await row.press(' ');
    await expect(pauseButtons(page)).toHaveCount(0);
    await expect(page.getByRole('alert')).toHaveCount(0);
  });
});

test('a clip that is not wanted is left out, until it is brought back', async ({ page }) => {
  await open(page, 'search');
  await ask(page, 'bell');
  const [first, second] = await names(page);
  const leftOut = page.getByTestId('left-out');
  const sent = nextSearch(page);
  await rows(page)
    .first()
    .getByRole('button', { name: /^Not this one/ })
    .click();
  expect((await sent).exclude).toHaveLength(1);
  await expect(leftOut).toContainText('1 left out');
  await expect(rows(page).first()).toContainText(second!);
  await expect(rows(page).first()).toBeFocused();
  // By a key, from the row that has the focus now.
  await page.keyboard.press('n');
  await expect(leftOut).toContainText('2 left out');
  await expect(page).toHaveURL(/without=\w+&without=\w+/);
  await page.reload();
  await expect(leftOut).toContainText('2 left out');
  await expect(page.getByTestId('status')).toHaveText(/in \d+ ms/);
  expect(await names(page)).not.toContain(first);
  expect(await names(page)).not.toContain(second);
  await page.getByRole('button', { name: 'Bring back 2 clips left out' }).click();
  await expect(leftOut).toHaveCount(0);
  await expect(rows(page).first()).toContainText(first!);
  await expect(page).not.toHaveURL(/without=/);
  await expect(box(page)).toBeFocused();
});

test('copies of a clip are left out with it', async ({ page, request }) => {
  test.skip(!process.env.EARMARK_URL, 'the mock takes no files');
  await uploaded(request, ['zebra-one.wav', 'zebra-two.wav'], async () => {
    await open(page, 'search', '?q=zebra&by=name');
    // One stands for both.
    await expect(rows(page)).toHaveCount(1);
    await expect(rows(page).first()).toContainText('1 more copy');
    await rows(page)
      .first()
      .getByRole('button', { name: /^Not this one/ })
      .click();
    await expect(page.getByText('All that matched is left out.')).toBeVisible();
    await page.getByRole('button', { name: 'Bring it back' }).click();
    await expect(rows(page)).toHaveCount(1);
  });
});

test('tags are edited in place', async ({ page }) => {
  await open(page, 'search');
  await ask(page, 'rain');
  const row = rows(page).first();
  await row.getByRole('button', { name: /^(Edit|Add) tags of/ }).click();
  const before = await row.getByLabel(/^Tags of/).inputValue();
  await row.getByLabel(/^Tags of/).fill('wet, page-test');
  await row.getByRole('button', { name: 'Save' }).click();
  await expect(row.getByText('page-test', { exact: true })).toBeVisible();
  await page.reload();
  await expect(rows(page).first().getByText('page-test', { exact: true })).toBeVisible();
  await rows(page)
    .first()
    .getByRole('button', { name: /^(Edit|Add) tags of/ })
    .click();
  await rows(page)
    .first()
    .getByLabel(/^Tags of/)
    .fill(before);
  await rows(page).first().getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Tags saved')).toBeVisible();
});

test('selected rows are exported', async ({ page }) => {
  await open(page, 'search');
  await rows(page).nth(0).getByRole('checkbox').check();
  await rows(page).nth(1).getByRole('checkbox').check();
  const text = async (button: string) => {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: button, exact: true }).click(),
    ]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  expect((await text('CSV')).split('\r\n')).toHaveLength(4);
  expect(await text('M3U')).toMatch(/^#EXTM3U\n#EXTINF:\d+,.+\n.+\n#EXTINF/);
  expect(JSON.parse(await text('JSON'))).toHaveLength(2);
});

test('the exported table says how likely a result is, and why', async ({ page }) => {
  await open(page, 'search');
  await ask(page, 'dog barking');
  await rows(page).first().getByRole('checkbox').check();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'CSV', exact: true }).click(),
  ]);
  const [header, line] = (await readFile(await download.path(), 'utf8')).split('\r\n');
  expect(header).toBe('path,score,start_s,end_s,duration_s,tags,probability,reasons');
  expect(line).toMatch(/dog-barking\.wav,0\.\d{4},.*,(0|1)\.\d{4},name: dog barking;sounds like: \w+$/);
});

test('is worked by keys alone', async ({ page }) => {
  await open(page, 'search');
  await expect(rows(page).first()).toBeVisible();
  await page.getByRole('link', { name: 'earmark' }).focus();
  await page.keyboard.press('/');
  await expect(box(page)).toBeFocused();
  await page.keyboard.type('dog');
  await expect(page.getByTestId('status')).toHaveText(/in \d+ ms/);
  await page.keyboard.press('ArrowDown');
  await expect(rows(page).first()).toBeFocused();
  await page.keyboard.press(' ');
  await expect(pauseButtons(page)).toHaveCount(1);
  await page.keyboard.press(' ');
  await expect(pauseButtons(page)).toHaveCount(0);
  await page.keyboard.press('x');
  await expect(page.getByText('1 selected')).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('chip')).toHaveCount(1);
  await rows(page).first().focus();
  await page.keyboard.press('ArrowUp');
  await expect(box(page)).toBeFocused();
});
