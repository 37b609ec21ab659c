// The shapes of the HTTP API (its OpenAPI document is the authority). Times are seconds.

export interface Clip {
  id: string;
  path: string;
  name: string;
  folder: string;
  duration_s: number;
  sample_rate: number;
  channels: number;
  format: string;
  size: number;
  tags: string[];
  indexed_at: string;
  segments: number;
}

export interface Hit {
  clip: Clip;
  /** Cosine of the query and the stretch; not a number where nothing was asked. */
  score: number;
  /** How likely the hit is right, 0 to 1; absent where the server cannot tell. */
  probability?: number;
  /** More likely wrong than right. */
  weak: boolean;
  /** Why it is a hit, the best reason first. */
  reasons: Reason[];
  /** The file is gone. */
  /** Other clips of the same sound that are not listed. */
  copies?: number;
  missing: boolean;
  start_s: number;
  end_s: number;
  shares?: { class: string; share: number }[];
}

/** Where a clip fits a query: `sound`, `name`, `tag`, `folder`, or the name of a file's metadata. */
export interface Reason {
  by: string;
  text: string;
}

export interface Filter {
  /** A part of the path, or a glob. */
  path?: string;
  tags?: string[];
  formats?: string[];
  min_duration_s?: number;
  max_duration_s?: number;
  indexed_since?: string;
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
  total?: number;
}

export interface QueryPart {
  text?: string;
  clip_id?: string;
  start_s?: number;
  end_s?: number;
  /** The name of a file that goes with the request. */
  file?: string;
  weight?: number;
}

/** What counts in a search by words. */
export type SearchBy = 'both' | 'sound' | 'name';

/** The order of the hits of a page: the best, the first name, the shortest or the newest file first. */
export type HitOrder = 'score' | 'name' | 'duration' | 'date';

export interface SearchRequest {
  query: QueryPart[];
  by?: SearchBy;
  /** Ids of clips to leave out, with their copies; 100 at most. */
  exclude?: string[];
  sort?: HitOrder;
  /** How much hits should differ from each other, 0 to 1. */
  diversity?: number;
  filter?: Filter;
  k?: number;
  min_score?: number | null;
  collapse?: boolean;
  explain?: boolean;
  cursor?: string;
}

/**
 * A text, the probability that the model knows what it is about (below 0.5 an answer may mean little; absent where it
 * cannot tell), and whether its end was left out, since the model does not read so much.
 */
export interface KnownText {
  text: string;
  familiarity?: number;
  cut: boolean;
}

export interface SearchResponse {
  hits: Hit[];
  next_cursor: string | null;
  below_min_score: number;
  texts: KnownText[];
  model: string;
}

export interface Problem {
  title: string;
  status: number;
  detail?: string;
  field?: string;
  request_id?: string;
}

export interface ClassifyResult {
  source: string;
  label: string | null;
  accepted: string[];
  none_probability?: number | null;
  scores: { label: string; probability: number; cosine: number }[];
  error?: { kind: string; detail: string } | null;
}

export interface ClassifyResponse {
  results: ClassifyResult[];
  calibrated: boolean;
  texts: KnownText[];
}

export interface SoundEvent {
  onset_s: number;
  offset_s: number;
  label: string;
  score: number;
}

/** Independent probabilities over time: `rows[label][i]` belongs to the stretch whose middle is `times[i]`. */
export interface Tracks {
  times: number[];
  rows: number[][];
  /** How far high scores reach beyond a sound at each end. */
  reach_s: number;
}

export interface EventsResponse {
  duration_s: number;
  labels: string[];
  calibrated: boolean;
  texts: KnownText[];
  events: SoundEvent[];
  tracks?: Tracks | null;
}

export interface Peaks {
  duration_s: number;
  points: number;
  min: number[];
  max: number[];
}

/** What makes a clip the better one of a group. */
export type KeepBy = 'length' | 'format' | 'rate' | 'channels' | 'size';

export interface DuplicatesRequest {
  filter?: Filter;
  /** Likeness from which two sounds are one, 0.5 to 1. */
  threshold?: number;
  /** What decides which clip to keep, the most important first. */
  keep?: KeepBy[];
  /** Compare the files, not only what the index stores. */
  verify?: boolean;
}

/** How a clip differs from the clip to keep; `unverified` if the files were not compared. */
export type Relation = 'copy' | 'trim' | 'padding' | 'gain' | 'encoding' | 'unverified';

export interface Duplicate {
  clip: Clip;
  relation: Relation;
  /** How well the two agree where they overlap, up to 1. */
  likeness: number;
  /** Where it begins in the clip to keep. */
  offset_s: number;
  /** By how much it is louder, dB. */
  gain_db: number;
}

export interface DuplicateGroup {
  keep: Clip;
  clips: Duplicate[];
}

export interface DuplicatesResponse {
  groups: DuplicateGroup[];
  /** Clips that were looked at. */
  clips: number;
  /** Clips whose files could not be read, or have changed since they were indexed. */
  uncompared: { path: string; reason: string }[];
}

export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export interface Job {
  id: string;
  state: JobState;
  root: string;
  started_at?: string | null;
  finished_at?: string | null;
  /** Files that need a look; of these, `done` have had it, with success or without. */
  files: number;
  done: number;
  failed: number;
  bytes: number;
  bytes_done: number;
  audio_s: number;
  report?: Record<string, unknown> | null;
  error?: string | null;
}

export interface Failure {
  path: string;
  kind: string;
  reason: string;
}

export interface Root {
  name: string;
  path: string;
  writable: boolean;
}

export interface LabelSet {
  name: string;
  labels: (string | { name: string; prompts: string[] })[];
  templates?: string[];
}

export interface Model {
  id: string;
  kind: string | null;
  dim: number | null;
  licence: string | null;
  state: string;
  current: boolean;
  events?: EventDefaults | null;
}

/** What the server does to find events where nothing else is asked for. */
export interface EventDefaults {
  /** Probability at which an event begins. */
  threshold: number;
  /** It ends below this share of the threshold. */
  release_share: number;
  hop_s: number;
  smooth_s: number;
  min_duration_s: number;
  merge_gap_s: number;
}

export interface MapPoint {
  clip_id: string;
  name: string;
  x: number;
  y: number;
  top_class?: string | null;
}

/** Numbers by name; which ones there are depends on the server's version. */
export type Stats = Record<string, unknown>;
