// The thresholding rules, with the cases of crates/engine/src/events/find.rs.

import { expect, test } from '@playwright/test';
import { cells, findEvents, median, smoothed, type EventOptions } from '../src/lib/events';

const RAW: EventOptions = { threshold: 0.5, release: 0.35, smooth_s: 0, min_duration_s: 0, merge_gap_s: 0 };

/** One label, a window centre each 0.1 s. */
function found(row: number[], options: EventOptions, reach_s = 0, hop = 0.1): number[][] {
  const times = row.map((_, i) => (i + 0.5) * hop);
  const tracks = { times, rows: [row], reach_s };
  const duration = row.length * hop;
  return findEvents(smoothed(tracks, duration, options.smooth_s), tracks, ['a'], duration, options).map((e) => [
    Number(e.onset_s.toFixed(3)),
    Number(e.offset_s.toFixed(3)),
  ]);
}

test('hysteresis bridges a dip and ends below the release', () => {
  expect(found([0, 0.4, 0.6, 0.4, 0.7, 0.3, 0.6], RAW)).toEqual([
    [0.1, 0.5],
    [0.6, 0.7],
  ]);
});

test('close events merge and short ones vanish', () => {
  const options = { ...RAW, merge_gap_s: 0.15, min_duration_s: 0.15 };
  expect(found([0.9, 0, 0.9, 0, 0, 0, 0, 0.9], options)).toEqual([[0, 0.3]]);
});

test('edges are drawn in but not at the ends of the recording', () => {
  expect(found([0.9, 0.9, 0, 0, 0.9, 0.9, 0.9, 0.9, 0, 0], RAW, 0.75, 1)).toEqual([
    [0, 1.5],
    [4.75, 7.25],
  ]);
});

test('the median removes a spike and keeps an edge', () => {
  expect(median([0, 0, 1, 0, 0], 3)).toEqual([0, 0, 0, 0, 0]);
  expect(median([0, 0, 1, 1, 1], 3)).toEqual([0, 0, 1, 1, 1]);
  expect(median([1], 9)).toEqual([1]);
});

test('cells cover the sound and meet', () => {
  expect(cells([0.375, 1, 1.525], 1.8)).toEqual([
    [0, 0.75],
    [0.75, 1.25],
    [1.25, 1.8],
  ]);
  expect(cells([0.05], 0.1)).toEqual([[0, 0.1]]);
});
