// Hash routes: `#/search?q=rain`. The state of a page that is worth sharing lives in its address.

export const PAGES = ['search', 'classify', 'events', 'duplicates', 'map', 'index'] as const;
export type PageName = (typeof PAGES)[number];

function parse(): { page: PageName; params: URLSearchParams } {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
  const page = PAGES.find((p) => p === path) ?? 'search';
  return { page, params: new URLSearchParams(query) };
}

class Route {
  #now = $state.raw(parse());

  constructor() {
    addEventListener('hashchange', () => (this.#now = parse()));
  }
  get page() {
    return this.#now.page;
  }
  get params() {
    return this.#now.params;
  }
  /** Writes the page's state into the address without a new entry in the history. */
  remember(page: PageName, params: URLSearchParams): void {
    const text = params.toString();
    history.replaceState(null, '', `#/${page}${text && `?${text}`}`);
  }
}

export const route = new Route();
export const href = (page: PageName, params: Record<string, string> = {}): string => {
  const text = new URLSearchParams(params).toString();
  return `#/${page}${text && `?${text}`}`;
};
