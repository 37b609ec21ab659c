// Builds the page anew and compares with web/dist, which is committed so that cargo needs no Node. Fails where they differ.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const web = fileURLToPath(new URL('..', import.meta.url));
const fresh = mkdtempSync(join(tmpdir(), 'earmark-dist-'));

const read = (folder) =>
  new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [relative(folder, path), readFileSync(path)]),
  );

await build({ root: web, logLevel: 'warn', build: { outDir: fresh, emptyOutDir: true } });
const [now, then] = [read(fresh), read(join(web, 'dist'))];
rmSync(fresh, { recursive: true });

const different = [...new Set([...now.keys(), ...then.keys()])]
  .filter((name) => !now.get(name)?.equals(then.get(name) ?? Buffer.alloc(0)))
  .sort();
if (different.length) {
  console.error(
    `web/dist is not what web/ builds: ${different.join(', ')}. Run \`npm run build\` in web/ and commit web/dist.`,
  );
  process.exit(1);
}
console.log(
  `web/dist is current: ${now.size} files, ${[...now.values()].reduce((sum, file) => sum + file.length, 0)} bytes.`,
);
