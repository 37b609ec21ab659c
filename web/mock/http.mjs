// Bodies in, pages and problems out.

import { Problem } from './answers.mjs';

/** The parts of a multipart body: `request` as JSON, the rest as files. */
function multipart(body, boundary) {
  const parts = { request: {}, files: {} };
  const marker = Buffer.from(`--${boundary}`);
  for (let at = body.indexOf(marker); at >= 0;) {
    const next = body.indexOf(marker, at + marker.length);
    if (next < 0) break;
    const part = body.subarray(at + marker.length + 2, next - 2);
    const split = part.indexOf('\r\n\r\n');
    const head = part.subarray(0, split).toString();
    const name = /name="([^"]*)"/.exec(head)?.[1];
    const data = part.subarray(split + 4);
    if (name === 'request') parts.request = JSON.parse(data.toString());
    // Several files come under one name.
    else
      parts.files[`${name} ${Object.keys(parts.files).length}`] = {
        name: /filename="([^"]*)"/.exec(head)?.[1] ?? name,
        data,
      };
    at = next;
  }
  return parts;
}

export async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const type = request.headers['content-type'] ?? '';
  const boundary = /boundary=(.+)$/.exec(type)?.[1];
  if (boundary) return multipart(body, boundary);
  try {
    return { request: body.length ? JSON.parse(body.toString()) : {}, files: {} };
  } catch {
    throw new Problem(400, 'Bad request', 'The body is not JSON.');
  }
}

export function page(all, cursor, limit = 50) {
  const from = Number(cursor ?? 0);
  const to = from + Number(limit);
  return { items: all.slice(from, to), next_cursor: to < all.length ? String(to) : null, total: all.length };
}
