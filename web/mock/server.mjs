// Speaks the HTTP contract of `earmark serve` from a few synthesised sounds and serves web/dist beside it, under the same
// Content-Security-Policy. For developing and testing the page without the Rust program. No dependencies.
//
// node mock/server.mjs [port]; MOCK_KEY=secret asks for that key.

import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { classify, duplicates, events, Problem, search } from './answers.mjs';
import { page, read } from './http.mjs';
import { follow, jobs, startJob } from './jobs.mjs';
import { library, peaks } from './library.mjs';
import { spectrogram } from './png.mjs';

const port = Number(process.argv[2] ?? 4681);
const key = process.env.MOCK_KEY;
const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const CSP =
  "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; " +
  "object-src 'none'; base-uri 'none'; frame-ancestors 'none'";
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

const labelSets = new Map([
  [
    'house',
    { name: 'house', labels: ['knock', 'clock', 'doorbell', 'vacuum cleaner'], templates: ['the sound of a {}'] },
  ],
]);
const failed = [
  {
    path: '/srv/sounds/broken/cut-off.flac',
    kind: 'malformed',
    reason: 'flac: the stream ends within a frame (4 096 of 60 000 bytes)',
  },
  {
    path: '/srv/sounds/broken/notes.wav',
    kind: 'unsupported',
    reason: 'not a sound: the file begins like plain text',
  },
];

const find = (id) => {
  const found = library.find((e) => e.clip.id === id);
  if (!found) throw new Problem(404, 'Not found', `There is no clip ${id} in the index.`);
  return found;
};

/** A part of a path or a glob, as the index reads it: a glob without a slash speaks of the file's name. */
function onPath(text) {
  if (!/[*?[{]/.test(text)) return ({ clip }) => clip.path.toLowerCase().includes(text.toLowerCase());
  const glob = text;
  const source = glob.replace(/\*\*\/|\/\*\*|[*?{},]|[.+^$()|[\]\\]/g, (part) => {
    const known = { '**/': '(?:.*/)?', '/**': '/.*', '*': '[^/]*', '?': '[^/]', '{': '(?:', '}': ')', ',': '|' };
    return known[part] ?? `\\${part}`;
  });
  const pattern = new RegExp(`^${glob.includes('/') && !glob.startsWith('/') ? '(?:.*/)?' : ''}${source}$`);
  return ({ clip }) => pattern.test(glob.includes('/') ? clip.path : clip.name);
}

function filtered(f) {
  const path = f.path ? onPath(f.path) : () => true;
  const split = (v) => (Array.isArray(v) ? v : v ? [v] : []);
  return library.filter(
    ({ clip }) =>
      path({ clip }) &&
      split(f.tags).every((t) => clip.tags.includes(t)) &&
      (!split(f.formats).length || split(f.formats).includes(clip.format)) &&
      clip.duration_s >= Number(f.min_duration_s ?? 0) &&
      clip.duration_s <= Number(f.max_duration_s ?? Infinity),
  );
}

function audio({ audio }, request, response) {
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const head = { 'content-type': 'audio/wav', 'accept-ranges': 'bytes' };
  if (!range) return response.writeHead(200, { ...head, 'content-length': audio.length }).end(audio);
  const from = Number(range[1]);
  const to = range[2] ? Number(range[2]) : audio.length - 1;
  response
    .writeHead(206, {
      ...head,
      'content-range': `bytes ${from}-${to}/${audio.length}`,
      'content-length': to - from + 1,
    })
    .end(audio.subarray(from, to + 1));
}

const stats = () => ({
  clips: library.length,
  segments: library.reduce((n, e) => n + e.clip.segments, 0),
  duration_s: library.reduce((s, e) => s + e.clip.duration_s, 0),
  bytes: library.reduce((s, e) => s + e.clip.size, 0),
  disk_bytes: 1_300_000,
  dim: 521,
  model: 'mini',
  failures: failed.length,
});

/** Answers, by method and path; what a function returns is sent as JSON. */
const ROUTES = [
  [
    'POST',
    /^\/v1\/search(?:\/files)?$/,
    async ({ body }) => search(filtered(body.request.filter ?? {}), body.request, find),
  ],
  ['POST', /^\/v1\/classify(?:\/files)?$/, async ({ body }) => classify(body, find)],
  ['POST', /^\/v1\/events(?:\/file)?$/, async ({ body }) => events(body, find)],
  ['POST', /^\/v1\/duplicates$/, async ({ body }) => duplicates(filtered(body.request.filter ?? {}), body.request)],
  [
    'GET',
    /^\/v1\/clips$/,
    ({ q }) =>
      page(
        filtered(q)
          .map((e) => e.clip)
          .sort((a, b) => (a.path < b.path ? -1 : 1)),
        q.cursor,
        q.limit,
      ),
  ],
  ['GET', /^\/v1\/clips\/([^/]+)$/, ({ id }) => find(id).clip],
  ['PATCH', /^\/v1\/clips\/([^/]+)$/, ({ id, body }) => Object.assign(find(id).clip, { tags: body.request.tags })],
  ['GET', /^\/v1\/clips\/([^/]+)\/audio$/, ({ id, request, response }) => void audio(find(id), request, response)],
  ['GET', /^\/v1\/clips\/([^/]+)\/peaks$/, ({ id, q }) => peaks(find(id).data, Number(q.points ?? 800))],
  [
    'GET',
    /^\/v1\/clips\/([^/]+)\/spectrogram\.png$/,
    ({ id, q, response }) => {
      const width = Number(q.width ?? 800);
      response
        .writeHead(200, { 'content-type': 'image/png' })
        .end(spectrogram(peaks(find(id).data, width).max, width, Number(q.height ?? 128)));
    },
  ],
  ['GET', /^\/v1\/jobs$/, () => ({ items: jobs, next_cursor: null })],
  ['POST', /^\/v1\/jobs$/, ({ body }) => [202, startJob(body.request)]],
  ['GET', /^\/v1\/jobs\/([^/]+)$/, ({ id }) => jobs.find((j) => j.id === id)],
  [
    'DELETE',
    /^\/v1\/jobs\/([^/]+)$/,
    ({ id }) =>
      Object.assign(
        jobs.find((j) => j.id === id),
        { state: 'cancelled', finished_at: new Date().toISOString() },
      ),
  ],
  [
    'GET',
    /^\/v1\/jobs\/([^/]+)\/events$/,
    ({ id, request, response }) =>
      void follow(
        jobs.find((j) => j.id === id),
        request,
        response,
      ),
  ],
  ['GET', /^\/v1\/(?:jobs\/([^/]+)\/)?failures$/, () => page(failed)],
  ['GET', /^\/v1\/roots$/, () => [{ name: 'sounds', path: '/srv/sounds', writable: false }]],
  ['GET', /^\/v1\/labelsets$/, () => ({ items: [...labelSets.values()] })],
  [
    'PUT',
    /^\/v1\/labelsets\/([^/]+)$/,
    ({ id, body }) => (labelSets.set(id, { ...body.request, name: id }), labelSets.get(id)),
  ],
  [
    'DELETE',
    /^\/v1\/labelsets\/([^/]+)$/,
    ({ id, response }) => void (labelSets.delete(id), response.writeHead(204).end()),
  ],
  [
    'GET',
    /^\/v1\/models$/,
    () => ({
      object: 'list',
      data: [
        {
          id: 'mini',
          object: 'model',
          kind: 'joint',
          dim: 521,
          licence: 'Apache-2.0',
          state: 'ready',
          current: true,
          events: {
            threshold: 0.5,
            release_share: 0.7,
            hop_s: 0.12,
            smooth_s: 0.36,
            min_duration_s: 0.2,
            merge_gap_s: 0.3,
          },
        },
        {
          id: 'clap-htsat-unfused',
          object: 'model',
          kind: 'joint',
          dim: 512,
          licence: 'Apache-2.0',
          state: 'not installed',
          current: false,
        },
      ],
    }),
  ],
  ['GET', /^\/v1\/info$/, stats],
  [
    'GET',
    /^\/v1\/map$/,
    () => ({
      method: 'pca',
      points: library.map(({ clip, top }, i) => ({
        clip_id: clip.id,
        name: clip.name,
        top_class: top,
        x: Math.cos(i * 2.4) * Math.sqrt(i) + (clip.path.length % 3) * 0.2,
        y: Math.sin(i * 2.4) * Math.sqrt(i),
      })),
    }),
  ],
  ['GET', /^\/(healthz|readyz)$/, () => ({ status: 'ok' })],
];

async function answer(request, response) {
  const url = new URL(request.url, 'http://mock');
  const path = decodeURIComponent(url.pathname);
  const fits = (r) => r[0] === request.method && r[1].exec(path);
  const route = ROUTES.find(fits);
  if (!route)
    return path.startsWith('/v1/')
      ? fail(response, new Problem(404, 'Not found', `Nothing at ${path}.`))
      : file(path, response);
  if (key && path.startsWith('/v1/') && request.headers.authorization !== `Bearer ${key}`)
    throw new Problem(401, 'Unauthorized', 'This server needs an API key.');
  const body = request.method === 'GET' ? {} : await read(request);
  const found = await route[2]({
    request,
    response,
    body,
    id: fits(route)[1],
    q: {
      ...Object.fromEntries(url.searchParams),
      tags: url.searchParams.getAll('tags'),
      formats: url.searchParams.getAll('formats'),
    },
  });
  if (response.headersSent || found === undefined) return;
  const [status, value] = Array.isArray(found) && typeof found[0] === 'number' ? found : [200, found];
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function fail(response, error) {
  const known = error instanceof Problem ? error : new Problem(500, 'Internal error', String(error.stack));
  response.writeHead(known.status, { 'content-type': 'application/problem+json', 'x-request-id': 'mock' }).end(
    JSON.stringify({
      type: 'about:blank',
      title: known.title,
      status: known.status,
      detail: known.message,
      field: known.field,
      request_id: 'mock',
    }),
  );
}

function file(path, response) {
  const wanted = join(dist, normalize(path));
  const found = existsSync(wanted) && statSync(wanted).isFile() ? wanted : join(dist, 'index.html');
  response.writeHead(200, {
    'content-type': TYPES[extname(found)] ?? 'application/octet-stream',
    'content-security-policy': CSP,
  });
  createReadStream(found).pipe(response);
}

createServer((request, response) => answer(request, response).catch((error) => fail(response, error))).listen(
  port,
  '127.0.0.1',
  () => console.log(`mock on http://127.0.0.1:${port}`),
);
