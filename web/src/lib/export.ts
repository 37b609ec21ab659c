// Files that the page makes itself.

import type { Clip, Duplicate, DuplicateGroup, Hit, Reason, SoundEvent } from './types';

/** Hands `text` to the browser as a download. */
export function save(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** One CSV line (RFC 4180). */
const csvLine = (fields: (string | number)[]): string =>
  fields
    .map((field) => (/[",\r\n]/.test(String(field)) ? `"${String(field).replaceAll('"', '""')}"` : field))
    .join(',') + '\r\n';

/** A reason as `earmark search --csv` writes it. */
const reason = ({ by, text }: Reason): string => `${by === 'sound' ? 'sounds like' : by}: ${text}`;

export const hitsCsv = (hits: Hit[]): string =>
  csvLine(['path', 'score', 'start_s', 'end_s', 'duration_s', 'tags', 'probability', 'reasons']) +
  hits
    .map((h) =>
      csvLine([
        h.clip.path,
        Number.isNaN(h.score) ? '' : h.score.toFixed(4),
        h.start_s.toFixed(2),
        h.end_s.toFixed(2),
        h.clip.duration_s.toFixed(2),
        h.clip.tags.join(';'),
        h.probability?.toFixed(4) ?? '',
        h.reasons.map(reason).join(';'),
      ]),
    )
    .join('');

/** Extended M3U. A path with a line end cannot be written in this format and is left out. */
export const hitsM3u = (hits: Hit[]): string =>
  '#EXTM3U\n' +
  hits
    .filter((h) => !/[\r\n]/.test(h.clip.path))
    .map((h) => `#EXTINF:${Math.round(h.clip.duration_s)},${h.clip.name}\n${h.clip.path}\n`)
    .join('');

export const hitsJson = (hits: Hit[]): string => JSON.stringify(hits, null, 2) + '\n';

/** Audacity's label track: onset, end and label, parted by tabs. */
export const audacity = (events: SoundEvent[]): string =>
  events
    .map((e) => `${e.onset_s.toFixed(6)}\t${e.offset_s.toFixed(6)}\t${e.label.replace(/[\t\r\n]/g, ' ')}\n`)
    .join('');

export const eventsCsv = (events: SoundEvent[]): string =>
  csvLine(['onset_s', 'offset_s', 'label', 'score']) +
  events.map((e) => csvLine([e.onset_s.toFixed(3), e.offset_s.toFixed(3), e.label, e.score.toFixed(4)])).join('');

/** A line a clip, the one to keep first in each group, as `earmark duplicates --csv` writes them. */
export function duplicatesCsv(groups: DuplicateGroup[]): string {
  const line = (group: number, clip: Clip, other?: Duplicate) =>
    csvLine([
      group,
      String(!other),
      clip.path,
      other?.relation ?? '',
      other?.likeness.toFixed(4) ?? '',
      other?.offset_s.toFixed(3) ?? '',
      other?.gain_db.toFixed(2) ?? '',
      clip.id,
      clip.duration_s.toFixed(3),
      clip.format,
      clip.sample_rate,
      clip.channels,
      clip.size,
    ]);
  const head =
    'group,keep,path,relation,likeness,offset_s,gain_db,clip_id,duration_s,format,sample_rate,channels,size';
  const lines = groups.map(
    ({ keep, clips }, i) => line(i + 1, keep) + clips.map((other) => line(i + 1, other.clip, other)).join(''),
  );
  return csvLine(head.split(',')) + lines.join('');
}

/** Copies text; outside secure contexts (plain http on a LAN) by the old way. */
export async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  if (!copied) throw new Error('The browser does not allow copying here.');
}
