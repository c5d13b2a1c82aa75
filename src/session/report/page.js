'use strict';
// What a page does: tables that sort, filter and turn pages, views of their columns, and a card for each row. Every word comes from
// the sections' descriptions and goes in as text.

const ROWS = 50;
const live = document.getElementById('live');

// ---- elements --------------------------------------------------------------------------------------------------

function make(name, about, ...children) {
  const svg = about && about.svg;
  const node = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [key, value] of Object.entries(about || {})) {
    if (key === 'svg' || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children);
  return node;
}
const draw = (name, about, ...children) => make(name, { ...about, svg: true }, ...children);
const say = (words) => { live.textContent = words; };
// Focus goes with it: Enter or Space does what a click does.
const pressed = (act) => ({ onclick: act, onkeydown: (e) => { if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); act(e); } } });

function shown(value, format) {
  if (Number.isNaN(value)) return '–';
  if (format === 'flag') return value ? 'yes' : 'no';
  if (format === 'count') return Math.round(value).toLocaleString('en-US');
  if (format === 'share') return value.toFixed(3);
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

// ---- numbers ---------------------------------------------------------------------------------------------------

// The tensors of a safetensors file that stands in the page, deflated, in base 64.
async function tensors(name) {
  const held = document.getElementById('numbers:' + name);
  if (!held) return {};
  const text = atob(held.textContent.trim());
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  const bytes = await new Response(stream).arrayBuffer();
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const found = {};
  for (const [key, about] of Object.entries(JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length))))) {
    if (key === '__metadata__') continue;
    const [from, to] = about.data_offsets;
    found[key] = { shape: about.shape, data: new Float32Array(bytes.slice(8 + length + from, 8 + length + to)) };
  }
  return found;
}

// Round numbers from `low` to `high`, about `count` of them.
function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((x) => x * power).find((x) => x >= rough) || rough;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
  return found;
}

// ---- frames of pictures ----------------------------------------------------------------------------------------

function frame(width, height, x, y, words) {
  const area = { left: 52, top: 10, right: width - 12, bottom: height - 40 };
  const at = {
    x: (v) => area.left + (v - x.low) / (x.high - x.low || 1) * (area.right - area.left),
    y: (v) => area.bottom - (v - y.low) / (y.high - y.low || 1) * (area.bottom - area.top),
  };
  const svg = draw('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'group', 'aria-label': words });
  for (const v of y.ticks || ticks(y.low, y.high, 5)) {
    svg.append(draw('line', { class: 'rule', x1: area.left, x2: area.right, y1: at.y(v), y2: at.y(v) }));
    svg.append(draw('text', { x: area.left - 6, y: at.y(v) + 4, 'text-anchor': 'end' }, y.shown ? y.shown(v) : shown(v)));
  }
  for (const v of ticks(x.low, x.high, 6)) svg.append(draw('text', { x: at.x(v), y: area.bottom + 16, 'text-anchor': 'middle' }, shown(v)));
  svg.append(draw('line', { class: 'edge', x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom }));
  svg.append(draw('text', { x: (area.left + area.right) / 2, y: height - 6, 'text-anchor': 'middle' }, x.title || ''));
  svg.append(draw('text', { x: 12, y: (area.top + area.bottom) / 2, 'text-anchor': 'middle', transform: `rotate(-90 12 ${(area.top + area.bottom) / 2})` }, y.title || ''));
  return { svg, area, at };
}

// ---- tables ----------------------------------------------------------------------------------------------------

class Table {
  constructor(name, spec, held, place) {
    Object.assign(this, { name, spec, place, page: 0, sorted: null, down: true, limits: new Map(), wanted: '' });
    this.columns = spec.columns.filter((c) => held[c.name]).map((c) => ({ ...c, data: held[c.name].data }));
    this.byName = new Map(this.columns.map((c) => [c.name, c]));
    this.count = this.columns.length ? this.columns[0].data.length : 0;
    this.order = Array.from({ length: this.count }, (_, i) => i);
    this.row = spec.row || 'row';
    this.named = (i) => ((spec.names || [])[i] === undefined ? String(i) : spec.names[i]);
    this.build();
    const first = this.byName.get(spec.sort);
    if (first) this.sort(first, true); else this.arrange();
  }

  build() {
    const views = make('div', { class: 'views' });
    for (const view of this.spec.views || []) {
      const shownView = view.kind === 'plane' ? this.plane(view) : this.histogram(view);
      if (shownView) views.append(shownView);
    }
    this.found = make('span', { role: 'status' });
    this.head = make('tr', {}, make('th', { scope: 'col' }, this.row));
    for (const column of this.columns) {
      const button = make('button', { type: 'button', title: column.about || '', onclick: () => this.sort(column) }, column.title);
      column.head = make('th', { scope: 'col' }, button);
      this.head.append(column.head);
    }
    this.body = make('tbody');
    const turn = (words, to) => make('button', { type: 'button', onclick: () => { this.page = to(); this.show(); } }, words);
    this.turns = [turn('first', () => 0), turn('previous', () => this.page - 1), turn('next', () => this.page + 1), turn('last', () => this.last())];
    this.where = make('span', {});
    const caption = make('caption', { class: 'hint' }, this.spec.card ? `Sort with the headings; open a ${this.row} with its number.` : 'Sort with the headings.');
    this.place.append(views, this.controls(), make('div', { class: 'wide' }, make('table', {}, caption, make('thead', {}, this.head), this.body)),
      make('div', { class: 'pager' }, ...this.turns, this.where));
  }

  // One filter for each column, and one for the row's number.
  controls() {
    const filters = make('div', { class: 'filters' });
    const number = (column, end, words) => make('input', { type: 'number', step: 'any', placeholder: words, 'aria-label': `${column.title}: ${words}`, oninput: (e) => this.limit(column, end, e.target.value) });
    for (const column of this.columns) {
      column.inputs = column.format === 'flag'
        ? [make('select', { 'aria-label': column.title, onchange: (e) => this.limit(column, 'is', e.target.value) }, make('option', { value: '' }, 'any'), make('option', { value: '1' }, 'yes'), make('option', { value: '0' }, 'no'))]
        : [number(column, 'low', 'at least'), number(column, 'high', 'at most')];
      filters.append(make('label', {}, make('span', {}, column.title), ...column.inputs));
    }
    this.search = make('input', { type: 'search', 'aria-label': `number of a ${this.row}`, placeholder: `${this.row} number`, oninput: (e) => { this.wanted = e.target.value.trim(); this.arrange(); } });
    const clear = make('button', { type: 'button', onclick: () => this.clear() }, 'show all');
    const box = make('div', {}, make('div', { class: 'controls' }, this.search, clear, this.found), make('details', {}, make('summary', {}, 'Filters'), filters));
    // A table that is seen whole needs none of it.
    box.hidden = this.count <= 12;
    return box;
  }

  clear() {
    this.limits.clear();
    this.wanted = '';
    this.search.value = '';
    for (const column of this.columns) for (const input of column.inputs) input.value = '';
    this.arrange();
  }

  limit(column, end, text) {
    const limits = this.limits.get(column) || {};
    if (text === '') delete limits[end]; else limits[end] = Number(text);
    this.limits.set(column, limits);
    this.arrange();
  }

  // Both ends at once, as a bar of a histogram sets them.
  between(column, low, high) {
    this.limits.set(column, { low, high });
    [column.inputs[0].value, column.inputs[1].value] = [low, high];
    this.arrange();
    this.place.querySelector('details').open = true;
  }

  sort(column, down) {
    this.down = down !== undefined ? down : this.sorted === column ? !this.down : true;
    this.sorted = column;
    for (const each of this.columns) each.head.removeAttribute('aria-sort');
    column.head.setAttribute('aria-sort', this.down ? 'descending' : 'ascending');
    this.arrange();
  }

  passes(i) {
    if (this.wanted !== '' && String(i) !== this.wanted && this.named(i) !== this.wanted) return false;
    for (const [column, { low, high, is }] of this.limits) {
      const x = column.data[i];
      if ((low !== undefined && !(x >= low)) || (high !== undefined && !(x <= high)) || (is !== undefined && Boolean(x) !== Boolean(is))) return false;
    }
    return true;
  }

  // The rows that pass, in order; what is undefined comes last.
  arrange() {
    this.order = [];
    for (let i = 0; i < this.count; i++) if (this.passes(i)) this.order.push(i);
    if (this.sorted) {
      const [data, sign] = [this.sorted.data, this.down ? -1 : 1];
      const rank = (x) => (Number.isNaN(x) ? Infinity : sign * x);
      this.order.sort((a, b) => { const [p, q] = [rank(data[a]), rank(data[b])]; return p < q ? -1 : p > q ? 1 : a - b; });
    }
    this.page = 0;
    this.show();
  }

  last() { return Math.max(0, Math.ceil(this.order.length / ROWS) - 1); }

  show() {
    this.page = Math.min(Math.max(this.page, 0), this.last());
    const rows = this.order.slice(this.page * ROWS, (this.page + 1) * ROWS);
    this.body.replaceChildren(...rows.map((i) => {
      const open = make('button', { type: 'button', 'aria-label': `open ${this.row} ${this.named(i)}`, onclick: (e) => card.open(this, i, e.target) }, this.named(i));
      return make('tr', {}, make('th', { scope: 'row' }, this.spec.card ? open : this.named(i)), ...this.columns.map((c) => make('td', {}, shown(c.data[i], c.format))));
    }));
    const from = this.order.length ? this.page * ROWS + 1 : 0;
    this.where.textContent = `${from.toLocaleString('en-US')} to ${(this.page * ROWS + rows.length).toLocaleString('en-US')}`;
    this.found.textContent = `${this.order.length.toLocaleString('en-US')} of ${this.count.toLocaleString('en-US')} ${this.row}s`;
    this.turns.forEach((button, k) => { button.disabled = k < 2 ? this.page === 0 : this.page === this.last(); });
  }

  // ---- views of columns ----

  missing(view, name) { return make('p', { class: 'hint' }, `${view.title}: the table has no column "${name}".`); }

  histogram(view) {
    const column = this.byName.get(view.column);
    const only = this.byName.get(view.only);
    if (!column) return this.missing(view, view.column);
    const bins = view.bins || 20;
    const counts = new Array(bins).fill(0);
    const width = (view.high - view.low) / bins;
    let outside = 0;
    for (let i = 0; i < this.count; i++) {
      if (only && !only.data[i]) continue;
      const x = Math.min(Math.max(column.data[i], view.low), view.high);
      if (Number.isNaN(x)) outside += 1; else counts[Math.min(bins - 1, Math.floor((x - view.low) / width))] += 1;
    }
    const most = Math.max(1, ...counts);
    // Few rows beside many would not be seen.
    const height = (n) => (view.log ? Math.log10(n + 1) : n);
    const many = (v) => shown(view.log ? Math.round(10 ** v - 1) : v, 'count');
    const tens = view.log ? [0, ...[1, 10, 100, 1e3, 1e4, 1e5, 1e6].filter((n) => n <= most).map(height)] : undefined;
    const words = `${view.title}: a histogram of ${counts.reduce((a, b) => a + b, 0)} ${this.row}s; each bar sets the filter`;
    const { svg, area, at } = frame(480, 260, { low: view.low, high: view.high, title: column.title }, { low: 0, high: height(most), title: `${this.row}s`, shown: many, ticks: tens }, words);
    counts.forEach((n, k) => {
      const [low, high] = [view.low + k * width, view.low + (k + 1) * width];
      const told = `${shown(low)} to ${shown(high)}: ${n.toLocaleString('en-US')} ${this.row}s`;
      const act = () => { this.between(column, Number(low.toPrecision(6)), Number(high.toPrecision(6))); say(told); };
      svg.append(draw('rect', { class: 'bar', tabindex: 0, role: 'button', 'aria-label': told, x: at.x(low) + 1, width: Math.max(1, at.x(high) - at.x(low) - 2), y: at.y(height(n)), height: area.bottom - at.y(height(n)), ...pressed(act) }, draw('title', {}, told)));
    });
    for (const v of view.marks || []) svg.append(draw('line', { class: 'cut', x1: at.x(v), x2: at.x(v), y1: area.top, y2: area.bottom }));
    const rest = outside ? ` Undefined for ${outside}.` : '';
    return make('figure', {}, make('figcaption', {}, view.title), svg, make('p', { class: 'hint' }, `${view.about || ''}${rest}`));
  }

  // Points on a canvas: thousands of elements would be slow. Arrow keys walk along both sides, Enter opens the card.
  plane(view) {
    const [x, y, mark, only] = [view.x, view.y, view.mark, view.only].map((name) => this.byName.get(name));
    if (!x || !y) return this.missing(view, x ? view.y : view.x);
    const points = [];
    for (let i = 0; i < this.count; i++) if (!(only && !only.data[i]) && !Number.isNaN(x.data[i] + y.data[i])) points.push(i);
    const marked = mark ? points.filter((i) => mark.data[i]).length : 0;
    const words = `${view.title}: ${points.length} ${this.row}s, ${x.title} across, ${y.title} up${mark ? `; ${marked} are marked: ${mark.title}` : ''}. Arrow keys choose a ${this.row}, Enter opens it.`;
    const [width, height] = [480, 420];
    const far = (c) => points.reduce((m, i) => Math.max(m, c.data[i]), 0.01);
    const high = view.square ? Math.max(far(x), far(y)) : 0;
    const { svg, area, at } = frame(width, height, { low: 0, high: high || far(x), title: x.title }, { low: 0, high: high || far(y), title: y.title }, words);
    svg.setAttribute('aria-hidden', 'true');
    const canvas = make('canvas', { width: width * 2, height: height * 2, tabindex: 0, role: 'img', 'aria-label': words });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px`, position: 'absolute', inset: 0 });
    const spot = (i) => [at.x(Math.max(0, x.data[i])), at.y(Math.max(0, y.data[i]))];
    const state = { chosen: -1 };
    const paint = () => this.paint(canvas.getContext('2d'), points, mark, spot, state.chosen);
    const choose = (i) => { state.chosen = i; paint(); say(`${this.row} ${i}: ${x.title} ${shown(x.data[i], x.format)}, ${y.title} ${shown(y.data[i], y.format)}${mark && mark.data[i] ? `, ${mark.title}` : ''}`); };
    canvas.addEventListener('click', (e) => {
      const box = canvas.getBoundingClientRect();
      const near = nearest(points, spot, e.clientX - box.left, e.clientY - box.top);
      if (near >= 0) { choose(near); card.open(this, near, canvas); }
    });
    canvas.addEventListener('keydown', (e) => {
      if (e.key === 'Enter' && state.chosen >= 0) {
        // The same key would press the button of the card that gets the focus.
        e.preventDefault();
        return card.open(this, state.chosen, canvas);
      }
      const along = { ArrowRight: [x, 1], ArrowLeft: [x, -1], ArrowUp: [y, 1], ArrowDown: [y, -1] }[e.key];
      if (!along || !points.length) return undefined;
      e.preventDefault();
      const [column, step] = along;
      const sorted = column.sorted || (column.sorted = [...points].sort((a, b) => column.data[a] - column.data[b] || a - b));
      const place = state.chosen < 0 ? (step > 0 ? -1 : sorted.length) : sorted.indexOf(state.chosen);
      return choose(sorted[Math.min(Math.max(place + step, 0), sorted.length - 1)]);
    });
    if (view.square) svg.append(draw('line', { class: 'cut', x1: at.x(0), y1: at.y(0), x2: area.right, y2: area.top }));
    paint();
    const box = make('div', {}, svg, canvas);
    Object.assign(box.style, { position: 'relative', width: `${width}px`, height: `${height}px` });
    const legend = mark ? ` Orange: ${mark.title} (${marked.toLocaleString('en-US')}).` : '';
    return make('figure', {}, make('figcaption', {}, view.title), box, make('p', { class: 'hint' }, `${view.about || ''}${legend}`));
  }

  paint(pen, points, mark, spot, chosen) {
    pen.setTransform(2, 0, 0, 2, 0, 0);
    pen.clearRect(0, 0, 2000, 2000);
    // Marked points last: they are few, and must not lie below the others.
    for (const flag of [false, true]) {
      pen.fillStyle = flag ? 'rgba(194, 86, 27, .8)' : 'rgba(47, 109, 179, .4)';
      for (const i of points) {
        if (Boolean(mark && mark.data[i]) !== flag) continue;
        const [px, py] = spot(i);
        pen.beginPath();
        if (flag) pen.rect(px - 2.5, py - 2.5, 5, 5); else pen.arc(px, py, 2, 0, 7);
        pen.fill();
      }
    }
    if (chosen < 0) return;
    const [px, py] = spot(chosen);
    pen.strokeStyle = '#1d2127';
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(px, py, 6, 0, 7);
    pen.stroke();
  }
}

function nearest(points, spot, px, py) {
  let [best, found] = [15 * 15, -1];
  for (const i of points) {
    const [x, y] = spot(i);
    const d = (x - px) ** 2 + (y - py) ** 2;
    if (d < best) [best, found] = [d, i];
  }
  return found;
}

// ---- the card of a row -----------------------------------------------------------------------------------------

const card = {
  dialog: null,
  back: null,

  async open(table, i, from) {
    if (!table.spec.card) return;
    if (from) this.back = from;
    if (!this.dialog) {
      this.dialog = make('dialog', { 'aria-label': 'card', onclose: () => { if (this.back && this.back.isConnected) this.back.focus(); } });
      document.body.append(this.dialog);
    }
    if (!table.held) table.held = tensors(`${table.name}.cards.safetensors`);
    const held = await table.held;
    const step = (words, by) => {
      const place = table.order.indexOf(i) + by;
      const there = place >= 0 && place < table.order.length && table.order.includes(i);
      return make('button', { type: 'button', disabled: !there, onclick: () => this.open(table, table.order[place]) }, words);
    };
    const close = make('button', { type: 'button', autofocus: true, onclick: () => this.dialog.close() }, 'close');
    const top = make('div', { class: 'top' }, make('h2', {}, `${table.row} ${table.named(i)}`), make('span', {}, step('previous', -1), ' ', step('next', 1), ' ', close));
    const numbers = make('dl', { class: 'numbers' }, ...table.columns.map((c) => make('div', {}, make('dt', {}, c.title), make('dd', {}, shown(c.data[i], c.format)))));
    const parts = table.spec.card.map((part) => (PARTS[part.kind] ? PARTS[part.kind](part, table, held, i) : null)).filter(Boolean);
    this.dialog.replaceChildren(top, numbers, ...parts);
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
  },
};

// The part of a tensor that belongs to row i.
function slice(tensor, i) {
  const length = tensor.data.length / tensor.shape[0];
  return tensor.data.subarray(i * length, (i + 1) * length);
}

// What a token stands for.
const word = (table, id) => (table.spec.words[id] === undefined ? `[${id}]` : table.spec.words[id]).replace(/\n/g, '↵');

const PARTS = {
  curve(part, table, held, i) {
    if (!held[part.mean]) return null;
    const mean = slice(held[part.mean], i);
    const half = held[part.half_width] ? slice(held[part.half_width], i) : null;
    const step = part.step || 1;
    const x = (k) => part.first + k * step;
    const ends = Array.from(mean, (m, k) => [m - (half ? half[k] : 0), m + (half ? half[k] : 0)]);
    const low = Math.min(0, ...ends.map((e) => e[0]));
    const high = Math.max(...ends.map((e) => e[1]), low + 1e-9);
    const peak = mean.reduce((best, m, k) => (m > mean[best] ? k : best), 0);
    const words = `${part.title}: ${mean.length} points, largest ${shown(mean[peak])} at ${x(peak)}, first ${shown(mean[0])}, last ${shown(mean[mean.length - 1])}`;
    const { svg, at } = frame(860, 230, { low: x(0), high: x(mean.length - 1), title: part.xlabel }, { low, high, title: part.ylabel }, words);
    svg.setAttribute('role', 'img');
    const path = (points) => points.map(([px, py], k) => `${k ? 'L' : 'M'}${px.toFixed(1)} ${py.toFixed(1)}`).join('');
    if (half) {
      const upper = ends.map((e, k) => [at.x(x(k)), at.y(e[1])]);
      const lower = ends.map((e, k) => [at.x(x(k)), at.y(e[0])]).reverse();
      svg.append(draw('path', { class: 'band', d: `${path([...upper, ...lower])}Z` }));
    }
    svg.append(draw('path', { class: 'curve', d: path(Array.from(mean, (m, k) => [at.x(x(k)), at.y(m)])) }));
    return make('section', {}, make('h3', {}, part.title), svg, make('p', { class: 'hint' }, part.about || ''));
  },

  contexts(part, table, held, i) {
    if (!held[part.tokens]) return null;
    const { width } = part;
    const tokens = slice(held[part.tokens], i);
    const weights = slice(held[part.weights], i);
    const places = tokens.length / width;
    const list = make('ol', { class: 'tokens' });
    for (let k = 0; k < places; k++) {
      const own = weights.subarray(k * width, (k + 1) * width);
      const most = own.reduce((m, w) => Math.max(m, w), 0);
      if (most <= 0) continue;
      const item = make('li', {});
      for (let t = 0; t < width; t++) {
        const id = tokens[k * width + t];
        if (id < 0) continue;
        const share = Math.max(0, own[t] / most);
        const span = make('span', { title: share > 0 ? shown(own[t]) : undefined, class: own[t] === most ? 'strongest' : undefined }, word(table, id));
        if (share > 0) span.style.background = `rgba(224, 123, 57, ${(0.12 + 0.6 * share).toFixed(2)})`;
        item.append(span);
      }
      item.append(make('span', { class: 'hint' }, `   ${shown(most)}`));
      list.append(item);
    }
    return make('section', {}, make('h3', {}, part.title), list.children.length ? list : make('p', {}, 'none'), make('p', { class: 'hint' }, part.about || ''));
  },

  // Passages with two tokens marked.
  pairs(part, table, held, i) {
    if (!held.passages) return null;
    const [tokens, key, query, values] = ['passages', 'key', 'query', 'values'].map((name) => slice(held[name], i));
    const list = make('ol', { class: 'tokens' });
    values.forEach((value, k) => {
      if (value === 0 || Number.isNaN(value)) return;
      const item = make('li', {});
      for (let t = 0; t < part.width; t++) {
        const id = tokens[k * part.width + t];
        if (id === -2) item.append(make('span', { class: 'hint' }, ' … '));
        if (id < 0) continue;
        const roles = [t === key[k] && 'key', t === query[k] && 'query'].filter(Boolean);
        item.append(roles.length ? make('mark', { class: roles.join(' '), title: roles.join(' and ') }, word(table, id)) : make('span', {}, word(table, id)));
      }
      item.append(make('span', { class: 'hint' }, `   ${shown(value)}`));
      list.append(item);
    });
    const legend = make('p', { class: 'hint' }, make('mark', { class: 'key' }, 'key'), ' ', make('mark', { class: 'query' }, 'query'), ` ${part.about || ''}`);
    return make('section', {}, make('h3', {}, part.title), list.children.length ? list : make('p', {}, 'none'), legend);
  },

  shares(part, table, held, i) {
    const grid = make('div', { class: 'shares' });
    for (const name of part.columns) {
      const column = table.byName.get(name);
      if (!column) continue;
      const bar = make('i', { role: 'presentation' });
      bar.style.width = `${(100 * Math.min(Math.max(column.data[i] || 0, 0), 1)).toFixed(1)}%`;
      grid.append(make('span', {}, column.title), bar, make('span', {}, shown(column.data[i], column.format)));
    }
    return make('section', {}, make('h3', {}, part.title), grid, make('p', { class: 'hint' }, part.about || ''));
  },
};

// ---- maps ------------------------------------------------------------------------------------------------------

function heatmap(spec, held, place) {
  const { data, shape: [rows, columns] } = held.y;
  const defined = Array.from(data).filter((v) => !Number.isNaN(v));
  const low = spec.low !== undefined ? spec.low : Math.min(...defined, 0);
  const high = spec.high !== undefined ? spec.high : Math.max(...defined, low + 1e-9);
  const head = make('tr', {}, make('td', {}), ...Array.from({ length: columns }, (_, c) => make('th', { scope: 'col' }, `${spec.across} ${spec.columns ? spec.columns[c] : c}`)));
  const body = make('tbody');
  for (let r = 0; r < rows; r++) {
    const row = make('tr', {}, make('th', { scope: 'row' }, `${spec.down} ${spec.rows ? spec.rows[r] : r}`));
    for (let c = 0; c < columns; c++) {
      const v = data[r * columns + c];
      const share = Number.isNaN(v) ? 0 : Math.min(Math.max((v - low) / (high - low || 1), 0), 1);
      const cell = make('td', {}, shown(v, spec.format));
      cell.style.background = `rgb(${[244 - 214 * share, 247 - 157 * share, 251 - 91 * share].map(Math.round).join(' ')})`;
      if (share > 0.55) cell.style.color = '#fff';
      row.append(cell);
    }
    body.append(row);
  }
  const caption = make('caption', { class: 'hint' }, `${spec.label || ''}, from ${shown(low)} (light) to ${shown(high)} (dark)`);
  place.append(make('div', { class: 'wide' }, make('table', { class: 'map' }, caption, make('thead', {}, head), body)));
}

// ---- the page --------------------------------------------------------------------------------------------------

async function section(place) {
  const { name } = place.dataset;
  const spec = JSON.parse(document.getElementById('section:' + name).textContent);
  if (spec.kind === 'words') return;
  const held = await tensors(`${name}.section.safetensors`);
  if (spec.kind === 'heatmap') heatmap(spec, held, place);
  if (spec.kind === 'table') place.table = new Table(name, spec, held, place);
}

Promise.all(Array.from(document.querySelectorAll('section[data-name]'), section))
  .then(() => { performance.mark('ready'); document.documentElement.dataset.ready = 'yes'; })
  .catch((fault) => { say(`the page is damaged: ${fault.message}`); live.className = 'verdict'; throw fault; });
