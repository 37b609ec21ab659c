import AxeSource from 'axe-core';
import { expect, type Page } from '@playwright/test';

/** Holds the page against axe: nothing serious or critical. */
export async function accessible(page: Page): Promise<void> {
  // Through the browser's own protocol, which the page's CSP does not bind.
  await page.evaluate(AxeSource.source);
  const found = await page.evaluate(async () => {
    const axe = (window as unknown as { axe: typeof import('axe-core') }).axe;
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations
      .filter((v) => v.impact === 'serious' || v.impact === 'critical')
      .map(
        (v) => `${v.impact} ${v.id}: ${v.nodes.map((n) => `${n.target.join(' ')} ${n.failureSummary}`).join('; ')}`,
      );
  });
  expect(found).toEqual([]);
}
