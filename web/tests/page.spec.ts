// The page in a real browser. The same tests run against the mock and against a real server (EARMARK_URL) that has
// indexed index-data/sounds: they name only what both libraries have.

import { expect, test, type Page, type Route } from '@playwright/test';
import { accessible } from './axe';
import { open, SOUND } from './helpers';

const LABELS = 'telephone ringing\nchurch bell\nsiren\nspeech';

/** Nothing may be refused by the Content-Security-Policy, nor fail unseen. */
const complaints: string[] = [];
test.beforeEach(({ page }) => {
  complaints.length = 0;
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (/Content Security Policy|Uncaught/.test(message.text())) complaints.push(message.text());
  });
});
test.afterEach(() => expect(complaints).toEqual([]));

const rows = (page: Page) => page.getByTestId('results').getByRole('article');
const box = (page: Page) => page.getByLabel('Describe a sound');

async function ask(page: Page, text: string): Promise<void> {
  await box(page).fill(text);
  await expect(page.getByTestId('status')).toHaveText(/match(es)? in \d+ ms/);
}

/** Whether some sound is playing: its button says so. */
const pauseButtons = (page: Page) => page.getByRole('button', { name: /^Pause / });

const refuse =
  (status: number, detail: string, headers: Record<string, string> = {}) =>
  (route: Route) =>
    route.fulfill({
      status,
      headers,
      contentType: 'application/problem+json',
      body: JSON.stringify({ title: 'No', status, detail }),
    });

test.describe('search', () => {
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
});

test.describe('errors', () => {
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
});

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
  await page.getByLabel('Begins at').press('End');
  await expect(page.getByTestId('status')).toHaveText(/^0 events/);
  await page.getByRole('button', { name: 'Reset' }).click();
  await expect(table).toContainText('church bell');
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
  const refreshed = page.waitForRequest(/\/v1\/stats$/, { timeout: 25_000 });
  await expect(job.getByTestId('state')).toHaveText('Done', { timeout: 25_000 });
  await refreshed;
  await expect(job).toContainText(/\d+ of \d+ files/);
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

test('the theme is switched and kept', async ({ page }) => {
  await open(page, 'search');
  const before = await page.evaluate(() => getComputedStyle(document.body).color);
  await page.getByRole('button', { name: 'Use the dark theme' }).click();
  await page.reload();
  await expect(page.getByRole('button', { name: 'Use the light theme' })).toBeVisible();
  expect(await page.evaluate(() => getComputedStyle(document.body).color)).not.toBe(before);
});

for (const name of ['search', 'classify', 'events', 'map', 'index'] as const) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`${name} in ${colorScheme} passes axe`, async ({ page }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await open(page, name);
      if (name === 'search') {
        await ask(page, 'dog');
        await page.getByRole('button', { name: 'Filters' }).click();
        await rows(page)
          .first()
          .getByRole('button', { name: /^More like/ })
          .click();
        await expect(page.getByTestId('status')).toHaveText(/in \d+ ms/);
        await rows(page).first().getByRole('checkbox').check();
      } else if (name === 'classify') {
        await drop(page, 'mine.wav');
        await page.getByLabel('Labels, one a line').fill('dog\nrain');
        await expect(page.getByTestId('result')).toBeVisible();
      } else if (name === 'events') {
        await drop(page, 'mine.wav', 6);
        await page.getByLabel('Labels, one a line').fill('dog barking\nrain');
        await expect(page.getByTestId('lane').first()).toBeVisible();
      } else if (name === 'map') {
        await page.getByTestId('map').focus();
        await page.keyboard.press('ArrowRight');
      } else await expect(page.getByTestId('stats')).toBeVisible();
      await page.waitForTimeout(300);
      await accessible(page);
    });
  }
}

test.describe('phone', () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true });
  for (const name of ['search', 'classify', 'events', 'map', 'index'] as const) {
    test(`${name} fits the width`, async ({ page }) => {
      await open(page, name);
      if (name === 'search') {
        await ask(page, 'rain');
        await page.getByRole('button', { name: 'Filters' }).click();
      } else if (name === 'events') {
        await page.getByLabel('Sound file').setInputFiles(SOUND('scene.wav', 6));
        await page.getByLabel('Labels, one a line').fill('dog barking');
        await expect(page.getByTestId('lane')).toBeVisible();
      }
      await page.waitForTimeout(300);
      const over = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(over).toBeLessThanOrEqual(0);
    });
  }
});

/** Drops a file made here on the page, as a file manager does. */
async function drop(page: Page, name: string, seconds = 2): Promise<void> {
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
