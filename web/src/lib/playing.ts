// One sound at a time: whoever begins to play stops the one before.

let current: HTMLAudioElement | null = null;

export function taking(audio: HTMLAudioElement): void {
  if (current && current !== audio) current.pause();
  current = audio;
}
