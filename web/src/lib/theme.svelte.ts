// Light or dark: the system's choice until the user makes their own.

type Choice = 'system' | 'light' | 'dark';
const STORE = 'earmark-theme';
const system = matchMedia('(prefers-color-scheme: dark)');

class Theme {
  choice = $state<Choice>((localStorage.getItem(STORE) as Choice | null) ?? 'system');
  #systemDark = $state(system.matches);

  constructor() {
    system.addEventListener('change', () => (this.#systemDark = system.matches));
    this.#apply();
  }
  get dark(): boolean {
    return this.choice === 'system' ? this.#systemDark : this.choice === 'dark';
  }
  toggle(): void {
    const dark = !this.dark;
    // Back at what the system says, its changes are followed again.
    this.choice = dark === this.#systemDark ? 'system' : dark ? 'dark' : 'light';
    localStorage.setItem(STORE, this.choice);
    this.#apply();
  }
  #apply(): void {
    const { dataset } = document.documentElement;
    if (this.choice === 'system') delete dataset.theme;
    else dataset.theme = this.choice;
  }
}

export const theme = new Theme();

/** A colour of the style sheet as the canvas takes it. Depends on the theme. */
export function cssColour(name: string): string {
  const key = `${name} ${theme.dark}`;
  let colour = colours.get(key);
  if (!colour) colours.set(key, (colour = resolved(name)));
  return colour;
}

const colours = new Map<string, string>();

/** light-dark() and var() are worked out by the browser only where they are used. */
function resolved(name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

/** Colours for labels and classes: told apart in both themes, also with colour-blind eyes. */
export const seriesColour = (i: number): string => cssColour(`--series-${i % 8}`);
