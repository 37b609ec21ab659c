// A small library of synthesised sounds, made in memory: the same each time.

const RATE = 16_000;

/** Deterministic noise, -1 to 1. */
function random(seed) {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

const tone = (hz, t) => Math.sin(2 * Math.PI * hz * t);
const decay = (t, every, rate) => Math.exp(-(t % every) * rate);

const KINDS = {
  bark: (t, r) => (t % 1.1 < 0.25 ? (tone(420, t) * 0.6 + r() * 0.5) * decay(t, 1.1, 9) : 0),
  bell: (t) => (tone(440, t) + tone(1063, t) * 0.6 + tone(1750, t) * 0.3) * decay(t, 2.5, 1.6) * 0.4,
  noise: (_, r) => r() * 0.35,
  gusts: (t, r) => r() * (0.2 + 0.3 * Math.abs(tone(0.3, t))),
  siren: (t) => tone(700 + 250 * tone(0.5, t) * 0.1, t) * 0.5,
  beeps: (t) => (t % 0.5 < 0.2 ? tone(2000, t) * 0.5 : 0),
  voice: (t, r) =>
    (tone(130, t) + tone(390, t) * 0.7 + tone(1170, t) * 0.3 + r() * 0.1) * Math.abs(tone(2.2, t)) * 0.35,
  ticks: (t, r) => (t % 0.5 < 0.02 ? r() * 0.7 : 0),
  melody: (t) => tone([262, 330, 392, 523][Math.floor(t * 3) % 4], t) * decay(t, 1 / 3, 4) * 0.5,
};

// path, kind, seconds, class, words, tags
const TABLE = [
  ['animals/dog-barking.wav', 'bark', 5.5, 'Dog', 'dog bark barking animal', ['dog']],
  ['animals/cat-meowing.wav', 'voice', 3.2, 'Cat', 'cat meow animal', []],
  ['animals/birdsong.wav', 'beeps', 8, 'Bird', 'bird song birds animal', ['outdoors']],
  ['animals/frogs-croaking.wav', 'ticks', 6.4, 'Frog', 'frog croak animal pond', []],
  ['animals/crickets-at-night.wav', 'beeps', 7.1, 'Cricket', 'cricket insect night', ['night', 'outdoors']],
  ['weather/rain.wav', 'noise', 9.3, 'Rain', 'rain water weather', ['rain', 'outdoors']],
  ['weather/ocean-waves.wav', 'gusts', 12, 'Ocean', 'ocean waves water sea', ['outdoors']],
  ['weather/wind-howling.wav', 'gusts', 10.4, 'Wind', 'wind howl weather', []],
  ['weather/thunder.wav', 'gusts', 6, 'Thunder', 'thunder storm weather', []],
  ['alarms/siren-wail.wav', 'siren', 6.2, 'Siren', 'siren alarm police', ['alarm']],
  ['alarms/smoke-alarm.wav', 'beeps', 4, 'Alarm', 'smoke alarm beep', ['alarm']],
  ['alarms/telephone-ringing.wav', 'beeps', 4.8, 'Telephone', 'telephone phone ring ringing', []],
  ['alarms/doorbell.wav', 'bell', 3.1, 'Bell', 'doorbell bell', []],
  ['music/church-bell.wav', 'bell', 7.5, 'Bell', 'church bell toll', ['music']],
  ['music/acoustic-guitar.wav', 'melody', 6.6, 'Guitar', 'guitar music acoustic', ['music']],
  ['music/organ.wav', 'melody', 9.9, 'Organ', 'organ music', ['music']],
  ['music/flute.wav', 'melody', 5, 'Flute', 'flute music', ['music']],
  ['household/clock-ticking.wav', 'ticks', 6, 'Clock', 'clock tick ticking', []],
  ['household/knocking.wav', 'ticks', 2.4, 'Knock', 'knock door', []],
  ['household/applause.wav', 'noise', 5.2, 'Applause', 'applause clapping audience', []],
  ['machines/helicopter.wav', 'gusts', 8.8, 'Helicopter', 'helicopter machine', []],
  ['machines/vacuum-cleaner.wav', 'noise', 6.1, 'Vacuum cleaner', 'vacuum cleaner machine', []],
  ['voice/woman-english.wav', 'voice', 4.1, 'Speech', 'speech woman speaking english voice', ['voice']],
  ['voice/man-german.wav', 'voice', 4.6, 'Speech', 'speech man speaking german voice', ['voice']],
];

/** What happens when in the scene: kind, from, to, label. */
const SCENE = [
  ['beeps', 2, 3.3, 'telephone ringing'],
  ['bell', 5.5, 9.15, 'church bell'],
  ['siren', 11, 14.2, 'siren'],
  ['voice', 16, 19.05, 'speech'],
];

function samples(seconds, sound) {
  const noise = random(Math.round(seconds * 1000));
  return Float32Array.from({ length: Math.round(seconds * RATE) }, (_, i) => sound(i / RATE, noise));
}

function scene() {
  return samples(20, (t, r) => {
    const now = SCENE.find(([, from, to]) => t >= from && t < to);
    return r() * 0.01 + (now ? KINDS[now[0]](t - now[1], r) : 0);
  });
}

function wav(data) {
  const bytes = Buffer.alloc(44 + data.length * 2);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(36 + data.length * 2, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(RATE, 24);
  bytes.writeUInt32LE(RATE * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(data.length * 2, 40);
  data.forEach((s, i) => bytes.writeInt16LE(Math.round(Math.max(-1, Math.min(1, s)) * 32767), 44 + i * 2));
  return bytes;
}

function entry(path, data, top, words, tags, i) {
  const audio = wav(data);
  const name = path.split('/').pop();
  const clip = {
    id: `${(i + 1).toString(16).padStart(4, '0')}c0ffee`,
    path: `/srv/sounds/${path}`,
    name,
    folder: `/srv/sounds/${path.slice(0, -name.length - 1)}`,
    duration_s: data.length / RATE,
    sample_rate: RATE,
    channels: 1,
    format: 'wav',
    size: audio.length,
    tags,
    indexed_at: new Date(Date.UTC(2026, 10, 1 + i, 9, 30)).toISOString(),
    segments: Math.max(1, Math.round(data.length / RATE / 5)),
  };
  return { clip, data, audio, top, words: words.split(' ') };
}

export const library = [
  ...TABLE.map(([path, kind, seconds, top, words, tags], i) =>
    entry(path, samples(seconds, KINDS[kind]), top, words, tags, i),
  ),
  entry(
    'events/evening-at-home.wav',
    scene(),
    'Room',
    'room evening telephone bell siren speech',
    ['scene'],
    TABLE.length,
  ),
];

export const sceneLabels = SCENE.map(([, from, to, label]) => ({ from, to, label }));

export function peaks(data, points) {
  const low = [];
  const high = [];
  for (let p = 0; p < points; p++) {
    let min = 0;
    let max = 0;
    for (let i = Math.floor((p * data.length) / points); i < Math.floor(((p + 1) * data.length) / points); i++) {
      min = Math.min(min, data[i]);
      max = Math.max(max, data[i]);
    }
    low.push(min);
    high.push(max);
  }
  return { duration_s: data.length / RATE, points, min: low, max: high };
}
