// Which clips a page is about.

import { list } from './format';
import type { Filter } from './types';

/** The fields of a form that say which clips; empty ones let all through. Durations are seconds. */
export interface ClipFilters {
  path: string;
  tags: string;
  formats: string;
  min_duration_s: number | null;
  max_duration_s: number | null;
  indexed_since: string;
}

export const noClipFilters = (): ClipFilters => ({
  path: '',
  tags: '',
  formats: '',
  min_duration_s: null,
  max_duration_s: null,
  indexed_since: '',
});

/** The fields as a request has them; those that are empty are left out. */
export function filterOf(f: ClipFilters): Filter {
  const filter: Filter = {};
  if (f.path.trim()) filter.path = f.path.trim();
  if (list(f.tags).length) filter.tags = list(f.tags);
  if (list(f.formats).length) filter.formats = list(f.formats).map((t) => t.toLowerCase());
  if (f.min_duration_s !== null) filter.min_duration_s = f.min_duration_s;
  if (f.max_duration_s !== null) filter.max_duration_s = f.max_duration_s;
  if (f.indexed_since) filter.indexed_since = f.indexed_since;
  return filter;
}
