// The one place that speaks HTTP. Every call throws ApiError.

import { askKey, currentKey } from './key.svelte';
import type * as T from './types';

export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 where no answer came. */
    readonly status: number,
    readonly problem: Partial<T.Problem>,
    /** Seconds to wait, of a 429 or 503. */
    readonly retryAfter: number | null = null,
  ) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
  }
}

function headers(): Record<string, string> {
  const key = currentKey();
  return key ? { authorization: `Bearer ${key}` } : {};
}

async function send(path: string, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    let response: Response;
    try {
      response = await fetch(path, { ...init, headers: { ...init.headers, ...headers() } });
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      throw new ApiError(0, { detail: 'The server cannot be reached. Is earmark serve running?' });
    }
    if (response.ok) return response;
    const error = await problemOf(response);
    if (response.status !== 401 || !(await askKey(error.message))) throw error;
  }
}

async function problemOf(response: Response): Promise<ApiError> {
  let problem: Partial<T.Problem> = {};
  if (/json/.test(response.headers.get('content-type') ?? '')) {
    problem = await response.json().catch(() => ({}));
  }
  const wait = Number(response.headers.get('retry-after'));
  return new ApiError(response.status, problem, wait > 0 ? wait : null);
}

const json = async <R>(path: string, init?: RequestInit): Promise<R> => (await send(path, init)).json();

const body = (method: string, value: unknown, signal?: AbortSignal): RequestInit => ({
  method,
  body: JSON.stringify(value),
  headers: { 'content-type': 'application/json' },
  signal: signal ?? null,
});

/** A multipart body with the JSON as `request` and each file as a part of the same name. */
function sendFiles<R>(path: string, request: unknown, part: string, files: File[], signal?: AbortSignal): Promise<R> {
  const form = new FormData();
  form.append('request', new Blob([JSON.stringify(request)], { type: 'application/json' }));
  for (const file of files) form.append(part, file, file.name);
  return json(path, { method: 'POST', body: form, signal: signal ?? null });
}

/** JSON alone, or, with files, the operation that takes them: `path/files` or `path/file`. */
function post<R>(
  path: string,
  request: unknown,
  part: 'files' | 'file' = 'files',
  files: File[] = [],
  signal?: AbortSignal,
): Promise<R> {
  if (files.length === 0) return json(path, body('POST', request, signal));
  return sendFiles(`${path}/${part}`, request, part, files, signal);
}

export function query(values: Record<string, string | number | boolean | string[] | undefined | null>): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === null || value === '') continue;
    if (Array.isArray(value)) {
      for (const one of value) pairs.append(name, one);
    } else pairs.set(name, String(value));
  }
  const text = pairs.toString();
  return text && `?${text}`;
}

const id = encodeURIComponent;
export const audioPath = (clip: string) => `v1/clips/${id(clip)}/audio`;

export const search = (request: T.SearchRequest, files: File[], signal?: AbortSignal) =>
  post<T.SearchResponse>('v1/search', request, 'files', files, signal);

export const clips = (
  values: T.Filter & { q?: string; sort?: string; cursor?: string; limit?: number },
  signal?: AbortSignal,
) => json<T.Page<T.Clip>>(`v1/clips${query({ ...values })}`, { signal: signal ?? null });
export const clip = (clipId: string) => json<T.Clip>(`v1/clips/${id(clipId)}`);
export const setTags = (clipId: string, tags: string[]) =>
  json<T.Clip>(`v1/clips/${id(clipId)}`, body('PATCH', { tags }));

/** Puts a file under the server's upload root and into the index. */
export const addClip = (file: File) => sendFiles<T.Clip>('v1/clips', {}, 'file', [file]);

/** Asks again, three times at most, where the server is busy: nobody waits for a drawing with a button to press. */
async function patiently<R>(ask: () => Promise<R>): Promise<R> {
  for (let tries = 0; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      const busy = error instanceof ApiError && (error.status === 429 || error.status === 503);
      if (!busy || tries === 3) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * (error.retryAfter ?? 1)));
    }
  }
}

const peaksCache = new Map<string, Promise<T.Peaks>>();
/** Peaks of a clip's waveform, kept for the 300 last clips. */
export function peaks(clipId: string, points = 400): Promise<T.Peaks> {
  const path = `v1/clips/${id(clipId)}/peaks${query({ points })}`;
  let found = peaksCache.get(path);
  if (!found) {
    found = patiently(() => json<T.Peaks>(path));
    found.catch(() => peaksCache.delete(path));
    peaksCache.set(path, found);
    if (peaksCache.size > 300) peaksCache.delete(peaksCache.keys().next().value!);
  }
  return found;
}

export interface ClassifyRequest {
  clip_ids?: string[];
  labels?: string[];
  label_set?: string;
  templates?: string[];
  multi?: boolean;
  threshold?: number;
}
export const classify = (request: ClassifyRequest, files: File[], signal?: AbortSignal) =>
  post<T.ClassifyResponse>('v1/classify', request, 'files', files, signal);

export interface EventsRequest {
  clip_id?: string;
  labels: string[];
  templates?: string[];
  tracks: true;
}
export const events = (request: EventsRequest, file: File | null, signal?: AbortSignal) =>
  post<T.EventsResponse>('v1/events', request, 'file', file ? [file] : [], signal);

export const duplicates = (request: T.DuplicatesRequest, signal?: AbortSignal) =>
  post<T.DuplicatesResponse>('v1/duplicates', request, 'files', [], signal);

export const labelSets = async () => listOf<T.LabelSet>(await json('v1/labelsets'));
export const saveLabelSet = (set: T.LabelSet) =>
  send(`v1/labelsets/${id(set.name)}`, body('PUT', { labels: set.labels, templates: set.templates ?? [] }));
export const deleteLabelSet = (name: string) => send(`v1/labelsets/${id(name)}`, { method: 'DELETE' });

const listOf = <R>(value: R[] | { items?: R[]; data?: R[] }): R[] =>
  Array.isArray(value) ? value : (value.items ?? value.data ?? []);

export const roots = async () => listOf<T.Root>(await json('v1/roots'));
export const jobs = async () => listOf<T.Job>(await json('v1/jobs'));
export const job = (jobId: string) => json<T.Job>(`v1/jobs/${id(jobId)}`);
export interface JobRequest {
  root: string;
  prune?: boolean;
  force?: boolean;
  retry_failed?: boolean;
  tags?: string[];
}
export const startJob = (request: JobRequest) => post<T.Job>('v1/jobs', request);
export const cancelJob = (jobId: string) => send(`v1/jobs/${id(jobId)}`, { method: 'DELETE' });
export const failures = (cursor?: string, jobId?: string) =>
  json<T.Page<T.Failure>>(`v1/${jobId ? `jobs/${id(jobId)}/` : ''}failures${query({ cursor, limit: 100 })}`);

export const models = async () => listOf<T.Model>(await json('v1/models'));
export const stats = () => json<T.Stats>('v1/info');
export const map = (signal?: AbortSignal) =>
  json<{ points: T.MapPoint[]; method: string }>('v1/map?method=pca&limit=5000', { signal: signal ?? null });

/**
 * Follows a job by server-sent events until it ends or `signal` is aborted. Read by fetch, since EventSource cannot
 * carry a key.
 */
export async function followJob(jobId: string, onJob: (job: T.Job) => void, signal: AbortSignal): Promise<void> {
  const response = await send(`v1/jobs/${id(jobId)}/events`, { headers: { accept: 'text/event-stream' }, signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (waiting + value).split(/\r?\n\r?\n/);
    waiting = blocks.pop()!;
    for (const block of blocks) {
      const data = block
        .split(/\r?\n/)
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice(5))
        .join('\n');
      if (data.trim()) onJob(JSON.parse(data));
    }
  }
}

/**
 * An address that `<audio>` and `<img>` can load: they cannot send a key, so with one the bytes are fetched here.
 * Call `free` when it is no longer shown.
 */
export async function mediaUrl(path: string): Promise<{ url: string; free: () => void }> {
  if (!currentKey()) return { url: path, free: () => {} };
  const url = URL.createObjectURL(await (await send(path)).blob());
  return { url, free: () => URL.revokeObjectURL(url) };
}
