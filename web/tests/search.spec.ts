// The search page.
// Against the mock or a real server that has indexed index-data/sounds: only what both libraries have is named.

import { ask, box, drop, expect, open, pauseButtons, rows, test } from './helpers';

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
  await page.getByLabel('Path holds').fill('no-such-folder');
  await expect(page.getByText('No clip passes the filters')).toBeVisible();
  await page.getByRole('button', { name: 'Clear the filters' }).first().click();
  await expect(rows(page).first()).toBeVisible();
  await page.getByLabel('Least score').fill('0.999');
  await box(page).fill('rain');
  await expect(page.getByText('Nothing matches')).toBeVisible();
  await page.getByRole('button', { name: 'Show them' }).click();
  await expect(rows(page).first()).toBeVisible();
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
