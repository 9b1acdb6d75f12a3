// An endless map of pictures: some hundred elements, used again and again; one request for all that is in view; the
// page's address is that of what one sees. Two panes show the same places of two networks.

const LEVELS = [-6, 20];
const MOST = 240; // tiles on the screen, of all panes together: what one request may ask for
const GAP = 3; // between panes
const FIRST_POLL = 150;
const LONGEST = 4000;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

// A tile by the coarsest level that has its picture: one name for all levels.
function nameOf(x, y, zoom) {
  for (; zoom > LEVELS[0] && x % 2 === 0 && y % 2 === 0; zoom--) [x, y] = [x / 2, y / 2];
  return `${x},${y},${zoom}`;
}

class Pane {
  cells = new Map();
  free = [];
  urls = new Map(); // of the pictures that are made

  constructor(element, onlost) {
    this.onlost = onlost;
    this.box = element;
    this.plane = element.appendChild(document.createElement("div"));
    this.plane.className = "plane";
  }

  // Elements outside the rectangle become those that are missing in it.
  lay([left, top, right, bottom], level, anchor, side) {
    for (const [name, cell] of this.cells) {
      const { x, y } = cell;
      if (cell.zoom === level && x >= left && x <= right && y >= top && y <= bottom) continue;
      this.cells.delete(name);
      this.free.push(cell);
    }
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const cell = this.cells.get(nameOf(x, y, level)) ?? this.take(x, y, level);
        cell.element.style.transform = `translate(${(x - anchor[0]) * side}px, ${(y - anchor[1]) * side}px)`;
      }
    }
    for (const cell of this.free.splice(MOST)) cell.element.remove();
    for (const cell of this.free) cell.element.hidden = true;
  }

  take(x, y, zoom) {
    const cell = this.free.pop() ?? this.make();
    Object.assign(cell, { x, y, zoom, name: nameOf(x, y, zoom) });
    this.cells.set(cell.name, cell);
    cell.element.hidden = false;
    cell.element.classList.toggle("chosen", cell.name === this.chosen);
    this.clear(cell, this.near(x, y, zoom));
    this.fill(cell);
    return cell;
  }

  make() {
    const element = this.plane.appendChild(document.createElement("div"));
    const image = element.appendChild(new Image());
    const cell = { element, image };
    element.className = "cell";
    Object.assign(image, { alt: "", decoding: "async", draggable: false });
    image.onload = () => element.classList.add("made");
    image.onerror = () => {
      this.urls.delete(cell.name);
      this.clear(cell);
      this.onlost();
    };
    return cell;
  }

  // Until its picture comes an element shows the shadow of another one.
  clear(cell, shadow) {
    cell.element.classList.remove("made");
    cell.element.style.backgroundImage = shadow ? `url("${shadow}")` : "";
    cell.image.removeAttribute("src");
    cell.url = undefined;
  }

  // A picture nearby, as it is seen from farther away.
  near(x, y, zoom) {
    for (let level = 0; level < 3; level++) {
      const url = this.urls.get(nameOf(x >> level, y >> level, zoom - level));
      if (url) return url;
    }
    return undefined;
  }

  fill(cell) {
    const url = this.urls.get(cell.name);
    if (url && cell.url !== url) cell.url = cell.image.src = url;
  }

  add(name, url) {
    if (this.urls.size > 20_000) this.urls.clear();
    this.urls.set(name, url);
  }

  change() {
    this.urls.clear();
    for (const cell of this.cells.values()) this.clear(cell, cell.url);
  }

  choose(name) {
    this.chosen = name;
    for (const cell of this.cells.values()) cell.element.classList.toggle("chosen", cell.name === name);
  }
}

class LatentMap {
  constructor(root, config) {
    Object.assign(this, { root, config, map: config.map });
    this.stage = root.querySelector("[data-stage]");
    this.panes = [...this.stage.querySelectorAll("[data-pane]")].map((box) => new Pane(box, () => this.ask()));
    const { x, y, zoom } = config;
    this.at = { x: x / 2 ** zoom, y: y / 2 ** zoom, zoom };
    this.to = { ...this.at };
    this.lens = root.querySelector("[data-lens]");
    new ResizeObserver(() => this.measure()).observe(this.stage);
    this.listen();
  }

  // A tile is a little larger than its pixels, and so large that no more fit than may be asked for.
  measure() {
    this.box = this.panes[0].box.getBoundingClientRect();
    const { width, height } = this.box;
    this.side = clamp(this.config.resolution * 1.5, 92, clamp(Math.min(width, height) / 2.5, 92, 200));
    const fit = (length) => length / this.side / 0.84 + 2;
    while (fit(width) * fit(height) > MOST / this.panes.length) this.side *= 1.04;
    this.stage.style.setProperty("--side", `${this.side}px`);
    this.draw(true);
  }

  get level() {
    return clamp(Math.floor(this.at.zoom + 0.25), ...LEVELS);
  }

  get middle() {
    return [this.at.x, this.at.y].map((place) => Math.round(place * 2 ** this.level));
  }

  draw(anew) {
    const { level, side, box } = this;
    const scale = 2 ** (this.at.zoom - level);
    const place = [this.at.x, this.at.y].map((one) => one * 2 ** level);
    const half = [box.width / 2, box.height / 2];
    const ends = [-1, 1].flatMap((way) => place.map((one, i) => Math.round(one + (way * half[i]) / side / scale)));
    const laid = `${level} ${ends}`;
    if (anew || laid !== this.laid) {
      // Elements lie around a tile nearby: browsers count pixels with few digits.
      if (this.around !== level || apart(this.anchor, place) > 200) {
        [this.anchor, this.around] = [place.map(Math.round), level];
      }
      for (const pane of this.panes) pane.lay(ends, level, this.anchor, side);
      this.laid = laid;
      this.ask();
    }
    const [right, down] = place.map((one, i) => half[i] - (one - this.anchor[i]) * side * scale);
    for (const { plane } of this.panes) plane.style.transform = `translate(${right}px, ${down}px) scale(${scale})`;
    clearTimeout(this.writing);
    if (this.config.follows) this.writing = setTimeout(() => this.write(), 250);
  }

  // Going there: at once under a hand, gliding otherwise.

  go(to, at_once = calm.matches) {
    Object.assign(this.to, to);
    if (at_once) {
      Object.assign(this.at, this.to);
      this.draw();
    } else if (!this.frame) {
      this.glide(performance.now());
    }
  }

  glide(before) {
    this.frame = requestAnimationFrame((now) => {
      const share = 1 - Math.exp((before - now) / 70);
      const left = ["x", "y", "zoom"].map((name) => this.to[name] - this.at[name]);
      const is_there = Math.hypot(left[0], left[1]) * this.unit < 0.5 && Math.abs(left[2]) < 0.002;
      ["x", "y", "zoom"].forEach((name, i) => (this.at[name] += is_there ? left[i] : left[i] * share));
      this.frame = 0;
      this.draw();
      if (!is_there) this.glide(now);
    });
  }

  get unit() {
    return this.side * 2 ** this.at.zoom;
  }

  // From the middle of the pane to a place on the screen, in pixels.
  reach(clientX, clientY) {
    const { left, top, width, height } = this.panes[0].box.getBoundingClientRect();
    return [((clientX - left) % (width + GAP)) - width / 2, clientY - top - height / 2];
  }

  // Nearer by so many levels; what lies under the pointer stays there.
  zoom(levels, [right, down] = [0, 0], at_once = undefined) {
    const zoom = clamp(this.to.zoom + levels, ...LEVELS);
    const moved = (2 ** -this.to.zoom - 2 ** -zoom) / this.side;
    this.go({ x: this.to.x + right * moved, y: this.to.y + down * moved, zoom }, at_once);
  }

  // Asking for pictures: one request at a time, for what is in view when it leaves, the middle first.

  ask() {
    this.changed = true;
    this.wake?.();
    this.asking ??= this.keepAsking().finally(() => (this.asking = undefined));
  }

  async keepAsking() {
    for (let pause = FIRST_POLL; ; pause = this.changed ? FIRST_POLL : Math.min(1000, pause * 1.25)) {
      this.changed = false;
      const cells = [...this.panes[0].cells.values()].filter(({ name }) => this.panes.some((pane) => !pane.urls.has(name)));
      if (!cells.length) return this.say("");
      cells.sort((a, b) => apart([a.x, a.y], this.middle) - apart([b.x, b.y], this.middle));
      const rest = (await this.request(cells.slice(0, MOST / this.panes.length))) ?? pause;
      if (rest === Infinity) return undefined;
      // A view that changes does not wait until the next question is due.
      await new Promise((resolve) => {
        this.wake = () => setTimeout(resolve, 60);
        setTimeout(resolve, this.changed ? 60 : rest);
      });
    }
  }

  // Return how long to wait before the next request, Infinity for none, nothing for as long as usual.
  async request(cells) {
    const { map, again, root: { dataset } } = this;
    const { ask, token, networks } = this.config;
    const tiles = cells.map(({ x, y, zoom }) => [x, y, zoom]);
    const names = cells.map(({ name }) => name);
    const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
    const body = JSON.stringify({ networks, map, tiles, again });
    const response = await fetch(ask, { method: "POST", headers, body }).catch(() => undefined);
    const answer = await response?.json().catch(() => undefined);
    if (!answer) return this.say(dataset.textAway) ?? 3000;
    this.again = false;
    if (map !== this.map) return FIRST_POLL;
    if (!response.ok) {
      const seconds = Number(response.headers.get("Retry-After"));
      this.say(answer.problem, !seconds);
      if (!seconds) this.refuse?.();
      return seconds * 1000 || Infinity;
    }
    const made = new Set(answer.made);
    answer.networks.forEach(({ base, keys }, i) => {
      keys.forEach((key, place) => made.has(key) && this.panes[i].add(names[place], `${base}${key}.webp`));
      for (const cell of this.panes[i].cells.values()) this.panes[i].fill(cell);
    });
    this.fillLens();
    this.refuse = undefined;
    // That others come first is said only when it takes a while.
    this.waits = answer.waits ? (this.waits ?? 0) + 1 : 0;
    this.say(answer.problem || (this.waits > 5 ? (answer.away ? dataset.textNoWorker : dataset.textBusy) : ""), answer.problem);
    return answer.problem ? Infinity : undefined;
  }

  say(text, can_try) {
    const line = this.root.querySelector("[data-said]");
    if (!line) return;
    line.hidden = !text;
    line.firstElementChild.textContent = text;
    line.querySelector("button").hidden = !can_try;
  }

  // Another map: what is seen stays as a shadow.
  show(map) {
    const scale = this.map.distance / map.distance;
    this.map = map;
    for (const pane of this.panes) pane.change();
    this.go({ x: this.at.x * scale, y: this.at.y * scale }, true);
    if (this.tile) this.choose(this.tile.x, this.tile.y, this.tile.zoom);
    this.ask();
  }

  // Servers take no longer ones; then the address stays at where one was before.
  write() {
    const address = this.address();
    if (address.length < LONGEST) history.replaceState(null, "", address);
  }

  address() {
    const { seed, truncation, distance, axes, centre } = this.map;
    const { fixed, point } = this.config;
    const [x, y] = this.middle;
    const values = { x, y, z: this.level, seed, t: truncation !== 0.8 && truncation, d: distance !== 0.5 && distance };
    const query = new URLSearchParams(fixed);
    for (const name in values) if (values[name] || values[name] === 0 && name === "t") query.set(name, values[name]);
    axes?.forEach((axis, i) => query.set(i ? "ay" : "ax", axis));
    if (centre) query.set(...(point ? ["point", point] : ["centre", JSON.stringify(centre)]));
    return `${location.pathname}?${query}`.replace(/\?$/, "");
  }

  listen() {
    const { stage } = this;
    const hands = new Map();
    let travelled = 0;
    let trail = [];
    stage.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      if (!hands.size) travelled = 0;
      hands.set(event.pointerId, [event.clientX, event.clientY]);
      stage.setPointerCapture(event.pointerId);
      this.go(this.at, true);
      trail = [];
    });
    stage.addEventListener("pointermove", (event) => {
      const before = hands.get(event.pointerId);
      if (!before) return;
      const now = [event.clientX, event.clientY];
      hands.set(event.pointerId, now);
      travelled += apart(before, now);
      const unit = this.unit * hands.size;
      this.go({ x: this.at.x - (now[0] - before[0]) / unit, y: this.at.y - (now[1] - before[1]) / unit }, true);
      const other = [...hands.values()].find((place) => place !== now);
      if (other) this.zoom(Math.log2(apart(now, other) / apart(before, other)) || 0, this.reach(...other), true);
      trail = [...trail, [event.timeStamp, ...now]].slice(-5);
    });
    const lift = (event) => {
      if (!hands.delete(event.pointerId) || hands.size) return;
      const [first, last] = [trail[0], trail.at(-1)];
      if (event.type === "pointerup" && travelled < 6) {
        const [right, down] = this.reach(event.clientX, event.clientY);
        const tile = this.side * 2 ** (this.at.zoom - this.level);
        this.choose(Math.round(this.at.x * 2 ** this.level + right / tile), Math.round(this.at.y * 2 ** this.level + down / tile));
      } else if (first && event.timeStamp - last[0] < 60 && last[0] > first[0]) {
        const speed = 160 / (last[0] - first[0]) / this.unit;
        this.go({ x: this.at.x + (first[1] - last[1]) * speed, y: this.at.y + (first[2] - last[2]) * speed });
      }
    };
    stage.addEventListener("pointerup", lift);
    stage.addEventListener("pointercancel", lift);
    stage.addEventListener("wheel", (event) => {
      if (!this.config.follows && !event.ctrlKey) return; // a page that scrolls goes on scrolling
      event.preventDefault();
      const step = event.deltaY * (event.deltaMode ? 30 : 1) * (event.ctrlKey ? 0.01 : 0.0022);
      this.zoom(clamp(-step, -1, 1), this.reach(event.clientX, event.clientY));
    }, { passive: false });
    const act = (event, name) => {
      if (!name || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.acts[name]();
    };
    stage.addEventListener("keydown", (event) => act(event, this.keys[event.key]));
    this.root.addEventListener("click", (event) => act(event, event.target.closest("[data-do]")?.dataset.do));
  }

  keys = {
    ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
    "+": "nearer", "=": "nearer", "-": "farther", 0: "home", Enter: "enter", p: "pin", c: "centre", Escape: "leave",
  };

  acts = {
    left: () => this.step(-1, 0),
    right: () => this.step(1, 0),
    up: () => this.step(0, -1),
    down: () => this.step(0, 1),
    nearer: () => this.zoom(1),
    farther: () => this.zoom(-1),
    home: () => this.go({ x: 0, y: 0, zoom: 0 }),
    // Where one is going, not where the glide has come.
    enter: () => {
      if (this.tile) return this.acts.pin();
      return this.choose(...[this.to.x, this.to.y].map((place) => Math.round(place * 2 ** this.level)));
    },
    pin: () => this.tile && this.lens?.querySelector("form")?.requestSubmit(),
    centre: () => this.tile && this.centre(),
    leave: () => this.choose(),
    again: () => {
      this.again = true;
      this.ask();
    },
  };

  // A tile further, from the chosen one where there is one.
  step(right, down) {
    const factor = 2 ** this.level;
    const from = this.tile ? 2 ** (this.level - this.tile.zoom) : factor;
    const { x, y } = this.tile ?? this.to;
    const next = [Math.round(x * from) + right, Math.round(y * from) + down];
    this.go({ x: next[0] / factor, y: next[1] / factor });
    if (this.tile) this.choose(...next);
  }

  // The lens shows the tile that was chosen, and what can be done with it.
  choose(x, y, zoom = this.level) {
    const { lens } = this;
    this.tile = x === undefined ? undefined : { kind: "map", map: this.map, x, y, zoom };
    for (const pane of this.panes) pane.choose(this.tile && nameOf(x, y, zoom));
    if (lens) lens.hidden = !this.tile;
    if (!lens || !this.tile) return;
    const text = lens.dataset.textPlace.replace("{x}", x).replace("{y}", y);
    lens.querySelector("[data-place]").textContent = text;
    document.getElementById("announce").textContent = text;
    const fields = lens.querySelector("form")?.elements;
    if (fields) [fields.point.value, fields.next.value] = [JSON.stringify(this.tile), this.address()];
    this.fillLens();
  }

  fillLens() {
    this.lens?.querySelectorAll("[data-picture]").forEach((picture, i) => {
      const url = this.panes[i].urls.get(this.panes[i].chosen) ?? "";
      picture.classList.toggle("waiting", !url);
      if (!url) picture.removeAttribute("src");
      else if (picture.getAttribute("src") !== url) picture.src = url;
    });
  }

  // What is chosen becomes the middle of a map of its own; where that is refused, everything stays.
  async centre() {
    const { map, at: { x, y }, config: { point }, tile: { ...tile } } = this;
    const centre = map.centre ? await this.values(tile) : tile;
    if (!centre || map !== this.map) return;
    const open = (shown, saved, place) => {
      this.config.point = saved;
      Object.assign(this.at, place);
      this.show(shown);
    };
    this.refuse = () => open(map, point, { x, y });
    this.choose();
    open({ ...map, centre }, "", { x: 0, y: 0 });
  }

  // A place of a map that has a centre already, as values of its own: so one can go on without end.
  async values(point) {
    const { config: { centre, token, networks }, root: { dataset } } = this;
    const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
    const body = JSON.stringify({ networks, point });
    for (let tries = 0; tries < 100; tries++) {
      const response = await fetch(centre, { method: "POST", headers, body }).catch(() => undefined);
      const answer = await response?.json().catch(() => undefined);
      if (answer?.centre) return answer.centre;
      if (response?.status !== 202) return this.say(answer?.problem ?? dataset.textAway);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return this.say(dataset.textBusy);
  }
}

// The sliders; a seed in the middle keeps to the truncation of what lies around it.
function follow(form, map) {
  const { t, d, ax, ay, seed } = form.elements;
  let timer;
  const read = () => {
    const truncation = Number(t.value);
    const right = Number(ax.value || ay.value === "0");
    const down = ay.value === "" || ay.value === ax.value ? Number(!right) : Number(ay.value);
    const { centre } = map.map;
    return {
      seed: Number(seed.value) || 0,
      truncation,
      distance: Number(d.value),
      axes: ax.value || ay.value ? [right, down] : null,
      centre: centre?.kind === "seed" ? { ...centre, truncation } : centre,
    };
  };
  form.addEventListener("input", () => {
    for (const output of form.querySelectorAll("output")) output.value = form.elements[output.dataset.of].value;
    clearTimeout(timer);
    timer = setTimeout(() => map.show(read()), 120);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("[data-dice]").addEventListener("click", () => {
    seed.value = Math.floor(Math.random() * 1e6);
    form.dispatchEvent(new Event("input"));
  });
}

for (const root of document.querySelectorAll("[data-map]")) {
  const map = new LatentMap(root, JSON.parse(document.getElementById(root.dataset.map).textContent));
  const form = root.querySelector("[data-settings]");
  if (form) follow(form, map);
  // Whoever looks at other networks stays at the same place.
  document.querySelector("form[data-other]")?.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of new URL(map.address(), location).searchParams) {
      if (!formData.has(name)) formData.set(name, value);
    }
  });
}
