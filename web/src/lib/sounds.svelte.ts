// The sounds and labels in hand, shared by the classify page with itself when it is left and come back to.

import type { Clip } from './types';

export interface Sound {
  id: number;
  name: string;
  file?: File;
  clip?: Clip;
}

class Sounds {
  items = $state<Sound[]>([]);
  labels = $state('');
  templates = $state('');
  #next = 0;

  addFiles(files: File[]): void {
    this.items = [...this.items, ...files.map((file) => ({ id: this.#next++, name: file.name, file }))];
  }
  addClip(clip: Clip): void {
    if (!this.items.some((s) => s.clip?.id === clip.id))
      this.items = [...this.items, { id: this.#next++, name: clip.name, clip }];
  }
  remove(id: number): void {
    this.items = this.items.filter((s) => s.id !== id);
  }
  clear(): void {
    this.items = [];
  }
}

export const sounds = new Sounds();
