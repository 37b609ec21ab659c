// Indexing jobs that only count.

import { Problem } from './answers.mjs';

export const jobs = [];

export function startJob({ root }) {
  if (!root || root.includes('..') || !root.startsWith('sounds'))
    throw new Problem(403, 'Forbidden', `${root} is not below an allowed root.`, 'root');
  const job = {
    id: `job-${jobs.length + 1}`,
    state: 'running',
    root,
    started_at: new Date().toISOString(),
    finished_at: null,
    files: 60,
    done: 0,
    failed: 0,
    bytes: 60e6,
    bytes_done: 0,
    audio_s: 0,
    error: null,
  };
  jobs.unshift(job);
  const timer = setInterval(() => {
    if (job.state !== 'running') return clearInterval(timer);
    const n = job.done + 3;
    job.failed = n > 30 ? 2 : 0;
    job.done = n;
    job.bytes_done = n * 1e6;
    job.audio_s = n * 6.5;
    if (n >= job.files)
      Object.assign(job, { state: 'done', finished_at: new Date().toISOString(), report: { added: 58, updated: 0 } });
  }, 100);
  return job;
}

export function follow(job, request, response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const timer = setInterval(() => {
    const running = job.state === 'running';
    response.write(`event: ${running ? 'progress' : 'done'}\ndata: ${JSON.stringify(job)}\n\n`);
    if (!running) {
      clearInterval(timer);
      response.end();
    }
  }, 100);
  request.on('close', () => clearInterval(timer));
}
