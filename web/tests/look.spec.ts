// Themes, accessibility and the width of a phone.
// Against the mock or a real server that has indexed index-data/sounds: only what both libraries have is named.

import { accessible } from './axe';
import { answerDuplicates, ask, drop, expect, open, rows, SOUND, test } from './helpers';

test('the theme is switched and kept', async ({ page }) => {
  await open(page, 'search');
  const before = await page.evaluate(() => getComputedStyle(document.body).color);
  await page.getByRole('button', { name: 'Use the dark theme' }).click();
  await page.reload();
  await expect(page.getByRole('button', { name: 'Use the light theme' })).toBeVisible();
  expect(await page.evaluate(() => getComputedStyle(document.body).color)).not.toBe(before);
});

for (const name of ['search', 'classify', 'events', 'duplicates', 'map', 'index'] as const) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`${name} in ${colorScheme} passes axe`, async ({ page }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await open(page, name);
      if (name === 'search') {
        await ask(page, 'bell');
        await page.getByRole('button', { name: 'Filters' }).click();
        await rows(page)
          .nth(1)
          .getByRole('button', { name: /^Not this one/ })
          .click();
        await expect(page.getByTestId('left-out')).toBeVisible();
        await page.waitForTimeout(300);
        await expect(page.getByTestId('results')).toHaveAttribute('aria-busy', 'false');
        await page.waitForTimeout(300);
        await accessible(page);
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
      } else if (name === 'duplicates') {
        await answerDuplicates(page);
        await page.getByRole('button', { name: 'Find duplicates' }).click();
        await expect(page.getByTestId('group')).toHaveCount(1);
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
  for (const name of ['search', 'classify', 'events', 'duplicates', 'map', 'index'] as const) {
    test(`${name} fits the width`, async ({ page }) => {
      await open(page, name);
      if (name === 'search') {
        await ask(page, 'rain');
        await page.getByRole('button', { name: 'Filters' }).click();
      } else if (name === 'events') {
        await page.getByLabel('Sound file').setInputFiles(SOUND('scene.wav', 6));
        await page.getByLabel('Labels, one a line').fill('dog barking');
        await expect(page.getByTestId('lane')).toBeVisible();
      } else if (name === 'duplicates') {
        await answerDuplicates(page);
        await page.getByRole('button', { name: 'Find duplicates' }).click();
        await expect(page.getByTestId('group')).toHaveCount(1);
      }
      await page.waitForTimeout(300);
      const over = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(over).toBeLessThanOrEqual(0);
    });
  }
});
