import { expect, type Page } from '@playwright/test';
import type { PageName } from '../src/lib/router.svelte';

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
