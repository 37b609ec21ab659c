// Pictures of every page in light, dark and phone width, for people to look at: SHOTS=1 npx playwright test shots

import { test } from '@playwright/test';
import { open, SOUND } from './helpers';

test.skip(!process.env.SHOTS, 'pictures are made on demand');

const LOOKS = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 } },
} as const;

for (const [look, options] of Object.entries(LOOKS)) {
  test.describe(look, () => {
    test.use(options);
    for (const name of ['search', 'classify', 'events', 'duplicates', 'map', 'index'] as const) {
      test(name, async ({ page }) => {
        await open(page, name);
        if (name === 'search') {
          await page.getByLabel('Describe a sound').fill('animal noise at night');
          await page.getByRole('button', { name: 'Filters' }).click();
          await page.waitForTimeout(1200);
          if (look !== 'phone')
            await page
              .getByRole('checkbox', { name: /Select/ })
              .first()
              .check();
        } else if (name === 'classify') {
          await page.getByLabel('Sound files').setInputFiles([SOUND('dog-barking.wav'), SOUND('rain.wav')]);
          await page.getByLabel('Labels, one a line').fill('dog barking\nrain\nspeech\nmusic\nsiren');
        } else if (name === 'events') {
          await page.goto('about:blank');
          await open(page, 'search');
          await page.getByLabel('Describe a sound').fill('telephone ringing');
          await page.getByRole('link', { name: /Find events in evening/ }).click();
          await page.getByLabel('Labels, one a line').fill('telephone ringing\nchurch bell\nsiren\nspeech');
          await page.getByTestId('events').waitFor();
        } else if (name === 'duplicates') {
          await page.getByRole('button', { name: 'Find duplicates' }).click();
          await page.getByTestId('group').first().waitFor();
        } else if (name === 'index') {
          await page.getByRole('button', { name: 'Start', exact: true }).click();
          await page.waitForTimeout(700);
        } else if (name === 'map') {
          await page.getByTestId('map').focus();
          await page.keyboard.press('ArrowRight');
          await page.keyboard.press('ArrowRight');
        }
        await page.waitForTimeout(1200);
        await page.screenshot({
          path: `${process.env.SHOTS_TO ?? 'shots'}/${name}-${look}.png`,
          fullPage: look === 'phone',
        });
      });
    }
  });
}

test.describe('README', () => {
  test.use({ colorScheme: 'light', viewport: { width: 1180, height: 640 }, deviceScaleFactor: 1.5 });
  // With EARMARK_URL of a server that has indexed a copy of index-data/sounds at a short path, such as /srv/sounds.
  test('docs/page.png', async ({ page }) => {
    await open(page, 'search');
    await page.getByLabel('Describe a sound').fill('a dog barking');
    await page.waitForTimeout(2500);
    await page.screenshot({ path: '../docs/page.png' });
  });
});
