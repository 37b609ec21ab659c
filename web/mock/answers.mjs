// What stands in for the model: words that a query and a clip share, and the times of the scene.

import { library, sceneLabels } from './library.mjs';

export class Problem extends Error {
  constructor(status, title, detail, field) {
    super(detail);
    Object.assign(this, { status, title, field });
  }
}

/** The decoder's part: a WAV of ours, or any file that does not begin like text. */
function decode({ name, data }) {
  if (data.length < 44 || /^[\x20-\x7e\s]+$/.test(data.subarray(0, 64).toString('latin1')))
    throw new Problem(422, 'Unprocessable content', `${name}: not a sound; the file begins like plain text.`);
  return data.toString('latin1', 0, 4) === 'RIFF' ? (data.length - 44) / 2 / data.readUInt32LE(24) : 5;
}

const words = (text) =>
  text
    .toLowerCase()
    .split(/\W+/)
    .filter((w) => w.length > 2);
const shared = (a, b) => a.filter((w) => b.some((v) => v.startsWith(w) || w.startsWith(v))).length;

/** 0 to 1: how well an entry fits a text. */
function fit(entry, text) {
  const asked = words(text);
  if (!asked.length) return 0;
  const wobble = ((entry.clip.path.length * 7 + text.length * 3) % 10) / 100;
  return 0.75 * (shared(asked, entry.words) / asked.length) + wobble;
}

/** What a file's name and a text share, by the text's words. */
const named = (entry, text) => {
  const there = words(entry.clip.name);
  return words(text).filter((w) => there.some((v) => v === w));
};

const ORDERS = {
  name: (a, b) => (a.entry.clip.name < b.entry.clip.name ? -1 : 1),
  duration: (a, b) => a.entry.clip.duration_s - b.entry.clip.duration_s,
  date: (a, b) => (a.entry.clip.indexed_at < b.entry.clip.indexed_at ? 1 : -1),
};

/** How well the model knows each text: all but one made-up word. */
const known = (texts) => texts.map((text) => ({ text, familiarity: /qwertyuiop/.test(text) ? 0.03 : 0.97 }));

export function search(candidates, request, find) {
  if (!request.query?.length) throw new Problem(400, 'Bad request', 'The query has no part.', 'query');
  const least = 'min_score' in request ? (request.min_score ?? -1) : 0.15;
  const score = (entry) =>
    request.query.reduce((sum, part) => {
      const weight = part.weight ?? 1;
      if (part.text) return sum + weight * fit(entry, part.text);
      if (part.file)
        return sum + weight * (entry.words.includes('dog') ? 0.8 : entry.words.includes('animal') ? 0.4 : 0.05);
      const like = find(part.clip_id);
      return sum + weight * (like === entry ? 0.98 : like.clip.folder === entry.clip.folder ? 0.55 : 0.04);
    }, 0);
  const text = request.query.length === 1 ? request.query[0].text : undefined;
  const by = request.by ?? 'both';
  const without = [
    ...(request.exclude ?? []),
    ...request.query.filter((p) => (p.weight ?? 1) > 0).flatMap((p) => p.clip_id ?? []),
  ];
  const all = candidates
    .filter(({ clip }) => !without.includes(clip.id))
    .map((entry) => ({ entry, score: score(entry), names: text && by !== 'sound' ? named(entry, text) : [] }))
    .filter((h) => by !== 'name' || h.names.length)
    .sort((a, b) => b.score - a.score);
  const fine = all.filter((h) => h.score >= least);
  const from = Number(request.cursor ?? 0);
  const to = from + (request.k ?? 10);
  const shown = fine.slice(from, to);
  if (request.sort in ORDERS) shown.sort(ORDERS[request.sort]);
  const likely = (score) => Math.max(0.01, Math.min(0.99, score * 1.2));
  return {
    hits: shown.map(({ entry: { clip, top }, score, names }) => ({
      clip,
      score,
      ...(text ? { probability: likely(score) } : {}),
      weak: text !== undefined && likely(score) < 0.5,
      reasons: [
        ...(names.length ? [{ by: 'name', text: names.join(' ') }] : []),
        ...(by !== 'name' && score > 0.5 ? [{ by: 'sound', text: top }] : []),
      ],
      missing: false,
      start_s: clip.duration_s > 6 ? 2.5 : 0,
      end_s: clip.duration_s > 6 ? 5.5 : clip.duration_s,
      shares: request.explain
        ? [
            { class: top, share: score * 0.7 },
            { class: 'Inside, small room', share: score * 0.1 },
          ]
        : undefined,
    })),
    next_cursor: to < fine.length ? String(to) : null,
    below_min_score: all.length - fine.length,
    texts: known(request.query.flatMap((part) => part.text ?? [])),
    model: 'mini',
  };
}

export function classify({ request, files }, find) {
  const labels = (request.labels ?? []).map((l) => l.name ?? l);
  if (!labels.length) throw new Problem(400, 'Bad request', 'No labels were given.', 'labels');
  const one = (source, entry) => {
    const raw = labels.map((label) => fit(entry, label));
    const sum = raw.reduce((s, r) => s + Math.exp(8 * r), Math.exp(1.6));
    const scores = labels.map((label, i) => ({
      label,
      cosine: raw[i],
      probability: request.multi ? raw[i] : Math.exp(8 * raw[i]) / sum,
    }));
    const best = scores.reduce((a, b) => (b.probability > a.probability ? b : a));
    const none = Math.exp(1.6) / sum;
    const accepted = request.multi
      ? scores.filter((s) => s.probability >= (request.threshold ?? 0.5)).map((s) => s.label)
      : best.probability > none
        ? [best.label]
        : [];
    return {
      source,
      label: accepted[0] ?? null,
      accepted,
      none_probability: request.multi ? null : none,
      scores,
    };
  };
  const uploads = Object.values(files).map((file) => {
    try {
      decode(file);
      return one(file.name, library.find((e) => words(file.name).some((w) => e.words.includes(w))) ?? library[0]);
    } catch (error) {
      return {
        source: file.name,
        label: null,
        accepted: [],
        scores: [],
        error: { kind: 'undecodable', detail: error.message },
      };
    }
  });
  const results = [...(request.clip_ids ?? []).map((id) => one(id, find(id))), ...uploads];
  return { results, texts: known(labels), calibrated: true };
}

/** Clips of one class stand for one sound. */
export function duplicates(candidates, request) {
  if (request.threshold < 0.5 || request.threshold > 1)
    throw new Problem(400, 'Bad request', `expected 0.5 to 1, got ${request.threshold}`, 'threshold');
  const alike = new Map();
  for (const { clip, top } of candidates) alike.set(top, [...(alike.get(top) ?? []), clip]);
  const groups = [...alike.values()]
    .filter((clips) => clips.length > 1)
    .map((clips) => {
      const [keep, ...others] = clips.sort((a, b) => b.duration_s - a.duration_s);
      const differs = request.verify === false ? 'unverified' : 'trim';
      return {
        keep,
        clips: others.map((clip) => ({ clip, relation: differs, likeness: 0.97, offset_s: 1.25, gain_db: -6 })),
      };
    });
  return { version: 1, groups, clips: candidates.length, uncompared: [], interrupted: false };
}

export function events({ request, files }, find) {
  const file = Object.values(files)[0];
  const duration_s = file ? decode(file) : find(request.clip_id).clip.duration_s;
  const labels = request.labels ?? [];
  const times = [];
  for (let t = 0.4875; t + 0.4875 <= duration_s + 1e-9; t += 0.12) times.push(t);
  const rows = labels.map((label, n) => {
    const when = sceneLabels.filter((s) => shared(words(label), words(s.label)));
    return times.map((t) => {
      const near = Math.max(0, ...when.map((s) => Math.min(1, 1.2 - 2.2 * Math.max(0, s.from - t, t - s.to))));
      return Math.min(
        0.97,
        Math.max(0.02, near * (0.85 + 0.08 * Math.sin(t * 9 + n)) + 0.04 + 0.03 * Math.sin(t * 5 + n)),
      );
    });
  });
  return {
    duration_s,
    labels,
    calibrated: true,
    texts: known(labels),
    events: [],
    tracks: { times: middles(times, duration_s), rows, reach_s: 0.195 },
  };
}

/** The middle of the stretch that each window's centre stands for: to halfway to its neighbours. */
function middles(centres, duration_s) {
  const edge = (i) => (i === 0 ? 0 : i === centres.length ? duration_s : (centres[i - 1] + centres[i]) / 2);
  return centres.map((_, i) => (edge(i) + edge(i + 1)) / 2);
}
