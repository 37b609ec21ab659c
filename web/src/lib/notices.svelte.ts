// Short messages that come and go, read aloud by screen readers.

export interface Notice {
  id: number;
  text: string;
  bad: boolean;
}

export const notices = $state<Notice[]>([]);
let next = 0;

export function notify(text: string, bad = false): void {
  const id = next++;
  notices.push({ id, text, bad });
  setTimeout(() => dismiss(id), bad ? 8000 : 3000);
}

export function dismiss(id: number): void {
  const at = notices.findIndex((n) => n.id === id);
  if (at >= 0) notices.splice(at, 1);
}

/** Runs `work`; where it fails, says why. */
export async function attempt(work: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await work();
    if (done) notify(done);
    return true;
  } catch (error) {
    notify(error instanceof Error ? error.message : String(error), true);
    return false;
  }
}
