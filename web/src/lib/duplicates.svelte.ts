// What the page of duplicates knows. It outlives the page, so that coming back shows the same groups.

import * as api from './api';
import { filterOf, noClipFilters, type ClipFilters } from './filters';
import type { DuplicatesRequest, DuplicatesResponse, KeepBy } from './types';

/** The server's own threshold. */
export const THRESHOLD = 0.95;

export const CRITERIA: readonly { value: KeepBy; name: string }[] = [
  { value: 'length', name: 'more of the sound' },
  { value: 'format', name: 'lossless format' },
  { value: 'rate', name: 'higher sample rate' },
  { value: 'channels', name: 'more channels' },
  { value: 'size', name: 'larger file' },
];

class Duplicates {
  filters = $state<ClipFilters>(noClipFilters());
  threshold = $state<number | null>(THRESHOLD);
  /** What decides which clip to keep, the most important first. */
  keep = $state<KeepBy[]>(['length', 'format', 'rate', 'channels']);
  verify = $state(true);
  answer = $state.raw<DuplicatesResponse | null>(null);
  error = $state<unknown>(null);
  loading = $state(false);
  /** When the request went out, milliseconds. */
  since = 0;
  /** The request that `answer` answers. */
  #answered = $state('');
  #running: AbortController | null = null;

  readonly request = $derived<DuplicatesRequest>({
    filter: filterOf(this.filters),
    threshold: this.threshold ?? THRESHOLD,
    keep: this.keep,
    verify: this.verify,
  });
  get filtered(): boolean {
    return Object.keys(filterOf(this.filters)).length > 0;
  }
  /** Whether the groups shown are those of other settings. */
  get stale(): boolean {
    return this.answer !== null && this.#answered !== JSON.stringify(this.request);
  }

  /** Puts a criterion in its place of the order, or takes the one there away. */
  order(place: number, by: KeepBy | ''): void {
    const later = this.keep.slice(place + 1).filter((other) => other !== by);
    this.keep = [...this.keep.slice(0, place), ...(by ? [by] : []), ...later];
  }
  clearFilters(): void {
    this.filters = noClipFilters();
  }

  async run(): Promise<void> {
    this.#running?.abort();
    const control = (this.#running = new AbortController());
    const asked = JSON.stringify(this.request);
    this.since = Date.now();
    this.loading = true;
    this.error = null;
    this.answer = null;
    try {
      const answer = await api.duplicates(this.request, control.signal);
      if (control.signal.aborted) return;
      this.answer = answer;
      this.#answered = asked;
    } catch (error) {
      if (!control.signal.aborted) this.error = error;
    } finally {
      if (this.#running === control) this.loading = false;
    }
  }
  /** Waits no longer; what the server has begun, it finishes. */
  cancel(): void {
    this.#running?.abort();
  }
}

export const duplicates = new Duplicates();
