// Numbers as people read them, with units, which no line end parts from them.

const NBSP = '\u00a0';

/** `m:ss.s`, or `h:mm:ss.s` from an hour on. */
export function time(seconds: number): string {
  const tenths = Math.max(0, Math.round(seconds * 10));
  const s = ((tenths % 600) / 10).toFixed(1).padStart(4, '0');
  const minutes = Math.floor(tenths / 600);
  if (minutes < 60) return `${minutes}:${s}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${s}`;
}

/** A long stretch of time in words: `3 h 12 min`. */
export function span(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)}${NBSP}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes}${NBSP}min`;
  return `${Math.floor(minutes / 60).toLocaleString('en')}${NBSP}h ${minutes % 60}${NBSP}min`;
}

export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return `${i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)}${NBSP}${units[i]}`;
}

export const hertz = (n: number): string =>
  `${(n / 1000).toLocaleString('en', { maximumFractionDigits: 1 })}${NBSP}kHz`;

export function percent(p: number): string {
  if (p > 0 && p < 0.01) return `<${NBSP}1${NBSP}%`;
  if (p < 1 && p >= 0.995) return `>${NBSP}99${NBSP}%`;
  return `${Math.round(p * 100)}${NBSP}%`;
}

export const count = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

export const channels = (n: number): string => (n === 1 ? 'mono' : n === 2 ? 'stereo' : `${n} channels`);

export function when(iso: string | null | undefined): string {
  if (!iso) return 'never';
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : date.toLocaleString('en', { dateStyle: 'medium', timeStyle: 'short' });
}

/** Words parted by commas or line ends, each once. */
export const list = (text: string): string[] => [
  ...new Set(
    text
      .split(/[,\n]/)
      .map((t) => t.trim())
      .filter(Boolean),
  ),
];
