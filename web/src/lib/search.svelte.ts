// What the search page knows. It outlives the page, so that coming back shows the same results.

import * as api from './api';
import { filterOf, noClipFilters, type ClipFilters } from './filters';
import type { Clip, Filter, Hit, HitOrder, KnownText, QueryPart, SearchBy } from './types';

/** A part of the query that stands as a chip. */
export interface Chip {
  id: number;
  /** Less like this, not more. */
  less: boolean;
  name: string;
  part: QueryPart;
  file?: File;
}

/** Weight of "less like this": strong enough to push a sound away, too weak to become the aim. */
const LESS = -0.7;
const PAGE = 20;
/** The server's limits: hits of a page, and clips to leave out. */
const MOST_HITS = 500;
const MOST_LEFT_OUT = 100;

export const BY: readonly { value: SearchBy; name: string }[] = [
  { value: 'both', name: 'Sound and names' },
  { value: 'sound', name: 'Sound' },
  { value: 'name', name: 'Names' },
];
export const ORDERS: readonly { value: HitOrder; name: string }[] = [
  { value: 'score', name: 'best match' },
  { value: 'name', name: 'name' },
  { value: 'duration', name: 'shortest first' },
  { value: 'date', name: 'newest file first' },
];

export interface FilterForm extends ClipFilters {
  min_score: number | null;
  /** Every matching segment of a clip, not the best one alone. */
  every_segment: boolean;
  sort: HitOrder;
  /** How much the results should differ from each other, 0 to 1. */
  diversity: number;
}

const noFilters = (): FilterForm => ({
  ...noClipFilters(),
  min_score: null,
  every_segment: false,
  sort: 'score',
  diversity: 0,
});

/** The filters that are set, as name and value for an address. */
function setFilters(filters: FilterForm): [string, string][] {
  const none: Record<string, unknown> = { ...noFilters() };
  return Object.entries(filters)
    .filter(([name, value]) => value !== none[name] && value !== '' && value !== null)
    .map(([name, value]) => [name, String(value)]);
}

/** The value that `name` has among `choices`, or the first of these. */
const choice = <T extends string>(choices: readonly { value: T }[], name: string | null): T =>
  (choices.find(({ value }) => value === name) ?? choices[0]!).value;

class Search {
  text = $state('');
  /** Where the words are looked for. */
  by = $state<SearchBy>('both');
  /** Ids of the clips that the user does not want, in the order of choice. */
  left_out = $state<string[]>([]);
  chips = $state<Chip[]>([]);
  filters = $state<FilterForm>(noFilters());
  hits = $state<Hit[]>([]);
  /** Whether the rows are answers to a query; without one they are the library. */
  answered = $state(false);
  loading = $state(false);
  error = $state<unknown>(null);
  next = $state<string | null>(null);
  total = $state<number | null>(null);
  took_ms = $state(0);
  below = $state(0);
  /** How well the model knows the words of the query. */
  texts = $state<KnownText[]>([]);
  selected = $state<Record<string, Hit>>({});
  /** The minimum score is lifted for this query: the user asked to see what lies below it. */
  show_below = $state(false);

  #nextChip = 0;
  #running: AbortController | null = null;

  get asks(): boolean {
    return this.text.trim() !== '' || this.chips.length > 0;
  }
  get filtered(): boolean {
    return Object.keys(this.filter()).length > 0;
  }

  /** Whether any filter or order is set. */
  get refined(): boolean {
    return setFilters(this.filters).length > 0;
  }
  /** Every hit is more likely wrong than right. */
  get all_weak(): boolean {
    return this.answered && this.hits.length > 0 && this.hits.every((hit) => hit.weak);
  }
  get may_leave_out(): boolean {
    return this.left_out.length < MOST_LEFT_OUT;
  }

  /** Leaves a clip and its copies out. Its own rows go at once, those of copies with the next answer. */
  leaveOut(clip: string): void {
    if (!this.may_leave_out || this.left_out.includes(clip)) return;
    this.left_out.push(clip);
    this.hits = this.hits.filter((hit) => hit.clip.id !== clip);
  }
  bringBack(): void {
    this.left_out = [];
  }

  add(name: string, part: QueryPart, less = false, file?: File): void {
    this.show_below = false;
    if (part.clip_id) {
      const same = this.chips.find((c) => c.part.clip_id === part.clip_id && c.part.start_s === part.start_s);
      if (same) {
        same.less = less;
        return;
      }
    }
    this.chips.push({ id: this.#nextChip++, name, part, less, ...(file ? { file } : {}) });
  }
  remove(id: number): void {
    this.show_below = false;
    this.chips = this.chips.filter((c) => c.id !== id);
  }
  clear(): void {
    this.text = '';
    this.chips = [];
    this.left_out = [];
  }
  clearFilters(): void {
    this.filters = noFilters();
  }

  filter(): Filter {
    return filterOf(this.filters);
  }

  /** Asks the server; a newer call puts an older one off. `more` appends the next page. */
  async run(more = false): Promise<void> {
    this.#running?.abort();
    const control = (this.#running = new AbortController());
    // The server sorts within a page, so a longer list in another order than by score is asked for as one page.
    const grows = more && this.asks && this.filters.sort !== 'score' && this.hits.length < MOST_HITS;
    const k = grows ? Math.min(this.hits.length + PAGE, MOST_HITS) : PAGE;
    const cursor = more && !grows ? (this.next ?? undefined) : undefined;
    this.loading = true;
    this.error = null;
    try {
      if (this.asks) await this.#search(k, cursor, control.signal);
      else await this.#browse(cursor, control.signal);
    } catch (error) {
      if (!control.signal.aborted) this.error = error;
    } finally {
      if (this.#running === control) this.loading = false;
    }
  }

  async #search(k: number, cursor: string | undefined, signal: AbortSignal): Promise<void> {
    const files: File[] = [];
    const asked = performance.now();
    const query: QueryPart[] = this.text.trim() ? [{ text: this.text.trim() }] : [];
    for (const chip of this.chips) {
      const part = { ...chip.part, weight: chip.less ? LESS : 1 };
      if (chip.file) {
        // Two files may have one name.
        part.file = `${chip.id} ${chip.file.name}`;
        files.push(new File([chip.file], part.file, { type: chip.file.type }));
      }
      query.push(part);
    }
    const min_score = this.show_below
      ? { min_score: null }
      : this.filters.min_score !== null
        ? { min_score: this.filters.min_score }
        : {};
    const { sort, diversity } = this.filters;
    const answer = await api.search(
      {
        query,
        filter: this.filter(),
        k,
        // Only words can be looked for in names.
        ...(this.by !== 'both' && query.some((part) => part.text) ? { by: this.by } : {}),
        ...(this.left_out.length ? { exclude: this.left_out } : {}),
        ...(sort !== 'score' ? { sort } : {}),
        ...(diversity > 0 ? { diversity } : {}),
        collapse: !this.filters.every_segment,
        explain: true,
        ...min_score,
        ...(cursor ? { cursor } : {}),
      },
      files,
      signal,
    );
    if (signal.aborted) return;
    this.hits = cursor ? joined(this.hits, answer.hits) : answer.hits;
    this.next = answer.next_cursor;
    this.below = answer.below_min_score;
    this.texts = answer.texts;
    this.took_ms = performance.now() - asked;
    this.total = null;
    this.answered = true;
  }

  async #browse(cursor: string | undefined, signal: AbortSignal): Promise<void> {
    const answer = await api.clips(
      { ...this.filter(), sort: 'path', limit: PAGE, ...(cursor ? { cursor } : {}) },
      signal,
    );
    if (signal.aborted) return;
    const rows = answer.items.map(wholeClip);
    this.hits = cursor ? joined(this.hits, rows) : rows;
    this.next = answer.next_cursor;
    this.total = answer.total ?? null;
    this.below = 0;
    this.texts = [];
    this.answered = false;
  }

  /** Puts a changed clip in the place of the old one. */
  update(clip: Clip): void {
    for (const hit of this.hits) if (hit.clip.id === clip.id) hit.clip = clip;
    for (const hit of Object.values(this.selected)) if (hit.clip.id === clip.id) hit.clip = clip;
  }

  toParams(): URLSearchParams {
    const params = new URLSearchParams();
    if (this.text.trim()) params.set('q', this.text.trim());
    for (const { part, less } of this.chips) {
      if (part.text) params.append(less ? 'not' : 'and', part.text);
      else if (part.clip_id) {
        const place = part.start_s !== undefined && part.end_s !== undefined ? `@${part.start_s}-${part.end_s}` : '';
        params.append(less ? 'unlike' : 'like', part.clip_id + place);
      }
    }
    if (this.by !== 'both') params.set('by', this.by);
    if (this.asks) for (const clip of this.left_out) params.append('without', clip);
    for (const [name, value] of setFilters(this.filters)) params.set(name, value);
    return params;
  }

  /** Takes the query of an address over; names of clips are asked for. Uploaded sounds cannot be in an address. */
  fromParams(params: URLSearchParams): void {
    this.clear();
    this.clearFilters();
    this.text = params.get('q') ?? '';
    this.by = choice(BY, params.get('by'));
    this.left_out = [...new Set(params.getAll('without'))].slice(0, MOST_LEFT_OUT);
    for (const [name, less] of [
      ['and', false],
      ['not', true],
    ] as const) {
      for (const text of params.getAll(name)) this.add(text, { text }, less);
    }
    for (const [name, less] of [
      ['like', false],
      ['unlike', true],
    ] as const) {
      for (const value of params.getAll(name)) {
        const [clip_id = '', place] = value.split('@', 2);
        const [start_s, end_s] = (place ?? '').split('-').map(Number);
        this.add(
          clip_id,
          { clip_id, ...(start_s !== undefined && end_s !== undefined ? { start_s, end_s } : {}) },
          less,
        );
        const chip = this.chips.at(-1)!;
        api.clip(clip_id).then(
          (clip) => (chip.name = clip.name),
          () => {},
        );
      }
    }
    const f = this.filters;
    for (const name of ['path', 'tags', 'formats', 'indexed_since'] as const) f[name] = params.get(name) ?? '';
    for (const name of ['min_duration_s', 'max_duration_s', 'min_score'] as const)
      f[name] = params.has(name) ? Number(params.get(name)) : null;
    f.sort = choice(ORDERS, params.get('sort'));
    f.diversity = Math.max(0, Math.min(1, Number(params.get('diversity')) || 0));
    f.every_segment = params.get('every_segment') === 'true';
  }
}

/** Names a row: a clip may be there more than once, with different stretches. */
export const rowKey = (hit: Hit): string => `${hit.clip.id} ${hit.start_s}`;

/** The next page after those before; what moved between the pages is not shown twice. */
function joined(before: Hit[], next: Hit[]): Hit[] {
  const there = new Set(before.map(rowKey));
  return [...before, ...next.filter((hit) => !there.has(rowKey(hit)))];
}

const wholeClip = (clip: Clip): Hit => ({
  clip,
  score: NaN,
  weak: false,
  reasons: [],
  missing: false,
  start_s: 0,
  end_s: clip.duration_s,
});

export const search = new Search();
