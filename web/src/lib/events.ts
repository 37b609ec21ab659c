// Events from score tracks, by the same rules as the server (crates/engine/src/events/find.rs), so that a slider responds
// at once: median filter, threshold with hysteresis, merging, edges drawn in, short ones dropped.

import type { EventDefaults, SoundEvent, Tracks } from './types';

export interface EventOptions {
  /** Probability at which an event begins. */
  threshold: number;
  /** Probability below which it ends. */
  release: number;
  /** Length of the median filter, seconds. */
  smooth_s: number;
  min_duration_s: number;
  merge_gap_s: number;
}

/** Until the server has said what the model's are. */
export const DEFAULTS: EventDefaults = {
  threshold: 0.5,
  release_share: 0.7,
  hop_s: 0.12,
  smooth_s: 0.36,
  min_duration_s: 0.2,
  merge_gap_s: 0.3,
};

/** The settings that the server takes where a request gives none. */
export function optionsOf({
  threshold,
  release_share,
  smooth_s,
  min_duration_s,
  merge_gap_s,
}: EventDefaults): EventOptions {
  return { threshold, release: threshold * release_share, smooth_s, min_duration_s, merge_gap_s };
}

/**
 * The stretches that the columns stand for, from their middles: they begin with the sound, meet, and end with it. So
 * each is as long to the right of its middle as to the left.
 */
export function cells(times: number[], duration_s: number): [number, number][] {
  let start = 0;
  return times.map((middle, i) => {
    const end = i + 1 === times.length ? duration_s : Math.min(2 * middle - start, duration_s);
    const cell: [number, number] = [start, Math.max(end, start)];
    start = cell[1];
    return cell;
  });
}

/** Median over `length` (odd) columns, fewer at the ends but as many to both sides. */
export function median(row: number[], length: number): number[] {
  const half = Math.min(Math.floor(length / 2), row.length);
  if (half === 0) return row;
  return row.map((_, i) => {
    const reach = Math.min(half, i, row.length - 1 - i);
    return row.slice(i - reach, i + reach + 1).sort((a, b) => a - b)[reach]!;
  });
}

/** The rows that thresholds are held against. */
export function smoothed(tracks: Tracks, duration_s: number, smooth_s: number): number[][] {
  const second = cells(tracks.times, duration_s)[1];
  const hop = second ? second[1] - second[0] : Infinity;
  const length = Math.round(smooth_s / hop) | 1;
  return tracks.rows.map((row) => median(row, length));
}

/** Events of all labels in order of onset; `rows` come from `smoothed`. */
export function findEvents(
  rows: number[][],
  tracks: Tracks,
  labels: string[],
  duration_s: number,
  options: EventOptions,
): SoundEvent[] {
  const stretches = cells(tracks.times, duration_s);
  return rows
    .flatMap((row, i) => labelEvents(labels[i]!, row, stretches, tracks.reach_s, options))
    .sort((a, b) => a.onset_s - b.onset_s || labels.indexOf(a.label) - labels.indexOf(b.label));
}

function labelEvents(
  label: string,
  row: number[],
  stretches: [number, number][],
  reach_s: number,
  options: EventOptions,
): SoundEvent[] {
  const events: SoundEvent[] = [];
  for (let i = 0; i < row.length; i++) {
    if (row[i]! < options.threshold) continue;
    let first = i;
    while (first > 0 && row[first - 1]! >= options.release) first--;
    let last = i;
    while (last + 1 < row.length && row[last + 1]! >= options.release) last++;
    let score = 0;
    for (let j = first; j <= last; j++) score = Math.max(score, row[j]!);
    const onset_s = stretches[first]![0];
    const offset_s = stretches[last]![1];
    const before = events.at(-1);
    if (before && onset_s - before.offset_s < options.merge_gap_s) {
      before.offset_s = offset_s;
      before.score = Math.max(before.score, score);
    } else events.push({ onset_s, offset_s, label, score });
    i = last;
  }
  const end = stretches.at(-1)?.[1] ?? 0;
  for (const event of events) {
    const reach = Math.min(reach_s, (event.offset_s - event.onset_s) / 4);
    if (event.onset_s > 0) event.onset_s += reach;
    if (event.offset_s < end) event.offset_s -= reach;
  }
  return events.filter((e) => e.offset_s - e.onset_s >= options.min_duration_s);
}
