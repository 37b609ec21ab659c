// A scatter plot on uPlot: it does the scales and the canvas; dots, zoom and the nearest dot are done here.

import uPlot from 'uplot';

interface Point {
  x: number;
  y: number;
}
interface On {
  /** The pointer is on a dot, or on none. */
  hover: (i: number | null) => void;
  pick: (i: number) => void;
}

/** How near the pointer must be to a dot, CSS pixels. */
const REACH = 14;
/** Radius of a dot, CSS pixels; smaller where there are many. */
const RADIUS = 5;
const RADIUS_OF_MANY = 3.2;
const MANY = 1500;

export class Scatter {
  #plot: uPlot;
  #colours: string[] = [];
  /** Dots in the order they are drawn. */
  #order: number[] = [];
  #mark: string = '#000';
  #chosen: number | null = null;
  #sizes: ResizeObserver;
  #home: [number, number, number, number];
  #abort = new AbortController();

  constructor(
    private readonly box: HTMLElement,
    private readonly points: Point[],
    private readonly on: On,
  ) {
    const xs = points.map((p) => p.x);
    const ys = points.map((p) => p.y);
    this.#home = [...padded(xs), ...padded(ys)];
    const [x0, x1, y0, y1] = this.#home;
    this.#plot = new uPlot(
      {
        mode: 2,
        width: box.clientWidth,
        height: box.clientHeight,
        legend: { show: false },
        cursor: { show: false },
        // Coordinates of a projection mean nothing by themselves: no axes.
        axes: [{ show: false }, { show: false }],
        padding: [0, 0, 0, 0],
        scales: { x: { time: false, auto: false, range: [x0, x1] }, y: { auto: false, range: [y0, y1] } },
        series: [
          {},
          {
            facets: [
              { scale: 'x', auto: false },
              { scale: 'y', auto: false },
            ],
            paths: () => null,
            points: { show: false },
          },
        ],
        hooks: { draw: [() => this.#draw()] },
      } as unknown as uPlot.Options,
      [null, [xs, ys]] as unknown as uPlot.AlignedData,
      box,
    );
    // Ranges as functions of what zoom() sets, not of the data.
    this.#sizes = new ResizeObserver(() => this.#plot.setSize({ width: box.clientWidth, height: box.clientHeight }));
    this.#sizes.observe(box);
    this.#listen();
  }

  /** Colours the dots; those in `back` are drawn first, so that the others lie upon them. */
  paint(colours: string[], back: string, mark: string): void {
    this.#colours = colours;
    const all = colours.map((_, i) => i);
    this.#order = [...all.filter((i) => colours[i] === back), ...all.filter((i) => colours[i] !== back)];
    this.#mark = mark;
    this.#plot.redraw(false);
  }

  mark(chosen: number | null): void {
    this.#chosen = chosen;
    this.#plot.redraw(false);
  }

  reset(): void {
    this.#show(...this.#home);
  }

  /** Zooms by `factor` (below 1: in) around a place given in CSS pixels, else around the middle. */
  zoom(factor: number, at?: { left: number; top: number }): void {
    const { clientWidth: width, clientHeight: height } = this.box;
    const cx = this.#plot.posToVal(at?.left ?? width / 2, 'x');
    const cy = this.#plot.posToVal(at?.top ?? height / 2, 'y');
    const [x0, x1, y0, y1] = this.#now();
    const [h0, h1] = this.#home;
    const wide = (x1 - x0) * factor;
    if (wide > (h1 - h0) * 1.5 || wide < (h1 - h0) / 1000) return;
    this.#show(cx + (x0 - cx) * factor, cx + (x1 - cx) * factor, cy + (y0 - cy) * factor, cy + (y1 - cy) * factor);
  }

  /** The nearest dot from dot `i` in a direction; what lies sideways counts as farther. */
  towards(i: number, dx: number, dy: number): number | null {
    const [x0, x1, y0, y1] = this.#home;
    const from = this.points[i]!;
    let best: number | null = null;
    let least = Infinity;
    this.points.forEach((p, j) => {
      const x = (p.x - from.x) / (x1 - x0);
      const y = (p.y - from.y) / (y1 - y0);
      const along = x * dx + y * dy;
      const across = Math.abs(x * dy) + Math.abs(y * dx);
      if (j === i || along <= 0 || across > 2 * along) return;
      const far = along + 2 * across;
      if (far < least) [least, best] = [far, j];
    });
    return best;
  }

  destroy(): void {
    this.#abort.abort();
    this.#sizes.disconnect();
    this.#plot.destroy();
  }

  #now(): [number, number, number, number] {
    const { x, y } = this.#plot.scales;
    return [x!.min!, x!.max!, y!.min!, y!.max!];
  }

  #show(x0: number, x1: number, y0: number, y1: number): void {
    this.#plot.batch(() => {
      // uPlot asks `range` anew at each change of a scale.
      this.#plot.scales.x!.range = () => [x0, x1];
      this.#plot.scales.y!.range = () => [y0, y1];
      this.#plot.setScale('x', { min: x0, max: x1 });
      this.#plot.setScale('y', { min: y0, max: y1 });
    });
  }

  #draw(): void {
    const { ctx } = this.#plot;
    const radius = (this.points.length > MANY ? RADIUS_OF_MANY : RADIUS) * devicePixelRatio;
    ctx.save();
    ctx.globalAlpha = 0.85;
    for (const i of this.#order) {
      const p = this.points[i]!;
      ctx.fillStyle = this.#colours[i] ?? this.#mark;
      ctx.beginPath();
      ctx.arc(this.#plot.valToPos(p.x, 'x', true), this.#plot.valToPos(p.y, 'y', true), radius, 0, 2 * Math.PI);
      ctx.fill();
    }
    const chosen = this.#chosen === null ? undefined : this.points[this.#chosen];
    if (chosen) {
      ctx.globalAlpha = 1;
      ctx.strokeStyle = this.#mark;
      ctx.lineWidth = 2 * devicePixelRatio;
      ctx.beginPath();
      ctx.arc(
        this.#plot.valToPos(chosen.x, 'x', true),
        this.#plot.valToPos(chosen.y, 'y', true),
        2 * radius,
        0,
        2 * Math.PI,
      );
      ctx.stroke();
    }
    ctx.restore();
  }

  #nearest(left: number, top: number): number | null {
    let best: number | null = null;
    let least = REACH;
    this.points.forEach((p, i) => {
      const far = Math.hypot(this.#plot.valToPos(p.x, 'x') - left, this.#plot.valToPos(p.y, 'y') - top);
      if (far < least) [least, best] = [far, i];
    });
    return best;
  }

  /** Wheel and pinch zoom, drag moves, a press without a drag picks. */
  #listen(): void {
    const { box } = this;
    const options = { signal: this.#abort.signal };
    const place = (e: PointerEvent | WheelEvent) => {
      const edges = box.getBoundingClientRect();
      return { left: e.clientX - edges.left, top: e.clientY - edges.top };
    };
    const down = new Map<number, { left: number; top: number }>();
    let moved = false;
    let hovered: number | null = null;

    const wheel = (e: WheelEvent) => {
      e.preventDefault();
      this.zoom(Math.exp(Math.max(-100, Math.min(100, e.deltaY)) / 250), place(e));
    };
    box.addEventListener('wheel', wheel, { ...options, passive: false });
    box.addEventListener(
      'pointerdown',
      (e) => {
        down.set(e.pointerId, place(e));
        moved = down.size > 1;
        box.setPointerCapture(e.pointerId);
      },
      options,
    );
    box.addEventListener(
      'pointermove',
      (e) => {
        const to = place(e);
        const from = down.get(e.pointerId);
        if (!from) {
          const i = this.#nearest(to.left, to.top);
          if (i !== hovered) this.on.hover((hovered = i));
          return;
        }
        if (Math.hypot(to.left - from.left, to.top - from.top) < 4 && !moved) return;
        moved = true;
        const other = [...down].find(([id]) => id !== e.pointerId)?.[1];
        if (other) {
          const before = Math.hypot(from.left - other.left, from.top - other.top);
          const after = Math.hypot(to.left - other.left, to.top - other.top);
          if (after > 0) this.zoom(before / after, other);
        } else {
          const [x0, x1, y0, y1] = this.#now();
          const dx = ((from.left - to.left) / box.clientWidth) * (x1 - x0);
          const dy = ((to.top - from.top) / box.clientHeight) * (y1 - y0);
          this.#show(x0 + dx, x1 + dx, y0 + dy, y1 + dy);
        }
        down.set(e.pointerId, to);
      },
      options,
    );
    const up = (e: PointerEvent) => {
      down.delete(e.pointerId);
      if (moved || e.type !== 'pointerup') return;
      const { left, top } = place(e);
      const i = this.#nearest(left, top);
      if (i !== null) this.on.pick(i);
    };
    box.addEventListener('pointerup', up, options);
    box.addEventListener('pointercancel', up, options);
    box.addEventListener('pointerleave', () => this.on.hover((hovered = null)), options);
  }
}

/** Least and greatest with a little room. */
function padded(values: number[]): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  const room = (high - low) * 0.06 || 1;
  return [low - room, high + room];
}
