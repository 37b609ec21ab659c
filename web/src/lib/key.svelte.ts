// The API key: asked for when the server says 401, kept for this tab only.

const STORE = 'earmark-key';

export const keyDialog = $state({ open: false, reason: '' });
let waiting: ((given: boolean) => void)[] = [];

export const currentKey = (): string | null => sessionStorage.getItem(STORE);

/** Asks the user for a key; all calls that failed meanwhile share one dialog. False where they decline. */
export function askKey(reason: string): Promise<boolean> {
  keyDialog.reason = reason;
  keyDialog.open = true;
  return new Promise((resolve) => waiting.push(resolve));
}

export function answerKey(key: string | null): void {
  if (key) sessionStorage.setItem(STORE, key);
  else sessionStorage.removeItem(STORE);
  keyDialog.open = false;
  const resolvers = waiting;
  waiting = [];
  for (const resolve of resolvers) resolve(key !== null);
}
