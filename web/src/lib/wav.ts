// A recording from the microphone as a WAV file, which every server build can read.

/** Decodes what MediaRecorder gave and writes it as 16-bit mono WAV. */
export async function toWav(recorded: Blob): Promise<File> {
  const context = new AudioContext();
  try {
    const audio = await context.decodeAudioData(await recorded.arrayBuffer());
    const tracks = Array.from({ length: audio.numberOfChannels }, (_, c) => audio.getChannelData(c));
    const mono = tracks[0]!.map((_, i) => tracks.reduce((sum, track) => sum + track[i]!, 0) / tracks.length);
    return new File([wavBytes(mono, audio.sampleRate)], 'recording.wav', { type: 'audio/wav' });
  } finally {
    await context.close();
  }
}

function wavBytes(samples: Float32Array, sampleRate: number): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(44 + samples.length * 2));
  const ascii = (at: number, text: string) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  ascii(0, 'RIFF');
  view.setUint32(4, 36 + samples.length * 2, true);
  ascii(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  ascii(36, 'data');
  view.setUint32(40, samples.length * 2, true);
  samples.forEach((s, i) => view.setInt16(44 + i * 2, Math.round(Math.max(-1, Math.min(1, s)) * 32767), true));
  return view.buffer;
}
