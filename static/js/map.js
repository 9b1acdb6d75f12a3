// An endless map of pictures: a few hundred elements that are used again and again, one request for all tiles in
// view, and the page's address always that of what is seen. Two panes show the same places of two networks.

const LEVELS = [-6, 20]; // that can be zoomed to; the engine goes further
const MOST_TILES = 240; // on the screen, of all panes together: what one request may ask for
const FIRST_POLL = 150;
const SLOWEST_POLL = 1000;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const gap = ([ax, ay], [bx, by]) => Math.hypot(ax - bx, ay - by);

// The coarsest level has a tile's picture, too: one name for all levels.
function nameOf(x, y, zoom) {
  while (zoom > -6 && x % 2 === 0 && y % 2 === 0) [x, y, zoom] = [x / 2, y / 2, zoom - 1];
  return `${x},${y},${zoom}`;
}

// What is known of the pictures of one network: where each is once it is made. The oldest names are forgotten.
class Pictures {
  #urls = new Map();

  url = (name) => this.#urls.get(name);
  forget = (name) => this.#urls.delete(name);

  add(name, url) {
    this.#urls.set(name, url);
    if (this.#urls.size > 20_000) this.#urls.delete(this.#urls.keys().next().value);
  }

  // A made picture near a tile, as it looks two or four times as far away.
  near(x, y, zoom) {
    for (let level = zoom; level > zoom - 3; level--) {
      const found = this.url(nameOf(x, y, level));
      if (found) return found;
      [x, y] = [Math.floor(x / 2), Math.floor(y / 2)];
    }
    return undefined;
  }
}

class Pane {
  constructor(element) {
    this.plane = element.appendChild(document.createElement("div"));
    this.plane.className = "plane";
    this.element = element;
    this.pictures = new Pictures();
    this.cells = new Map();
    this.free = [];
  }

  // Lay out the tiles of a rectangle; elements that are outside become those that are missing.
  lay(rectangle, level, anchor, side) {
    const [left, top, right, bottom] = rectangle;
    for (const [name, cell] of this.cells) {
      const { x, y, zoom } = cell;
      if (zoom === level && x >= left && x <= right && y >= top && y <= bottom) continue;
      this.cells.delete(name);
      this.free.push(cell);
    }
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const name = nameOf(x, y, level);
        const cell = this.cells.get(name) ?? this.#take(name, x, y, level);
        const place = `translate(${(x - anchor[0]) * side}px, ${(y - anchor[1]) * side}px)`;
        if (cell.place !== place) cell.element.style.transform = cell.place = place;
      }
    }
    for (const cell of this.free.splice(MOST_TILES)) cell.element.remove();
    for (const cell of this.free) cell.element.hidden = true;
  }

  #take(name, x, y, zoom) {
    const cell = this.free.pop() ?? this.#make();
    Object.assign(cell, { name, x, y, zoom });
    cell.element.hidden = false;
    cell.element.classList.toggle("chosen", name === this.chosen);
    this.cells.set(name, cell);
    this.#clear(cell, this.pictures.near(x, y, zoom));
    this.fill(cell);
    return cell;
  }

  #make() {
    const element = this.plane.appendChild(document.createElement("div"));
    const image = element.appendChild(new Image());
    element.className = "cell";
    image.alt = "";
    image.decoding = "async";
    image.draggable = false;
    const cell = { element, image };
    image.onload = () => element.classList.add("made");
    image.onerror = () => {
      this.pictures.forget(cell.name);
      this.#clear(cell);
      this.onlost?.();
    };
    return cell;
  }

  #clear(cell, ghost) {
    cell.element.classList.remove("made");
    cell.element.style.backgroundImage = ghost ? `url("${ghost}")` : "";
    cell.image.removeAttribute("src");
    cell.url = undefined;
  }

  fill(cell) {
    const url = this.pictures.url(cell.name);
    if (!url || cell.url === url) return;
    cell.url = cell.image.src = url;
  }

  // Another map: what was seen stays as a shadow until the new pictures come.
  change() {
    this.pictures = new Pictures();
    for (const cell of this.cells.values()) this.#clear(cell, cell.url);
  }

  choose(name) {
    this.chosen = name;
    for (const cell of this.cells.values()) cell.element.classList.toggle("chosen", cell.name === name);
  }
}

class LatentMap {
  constructor(root, config) {
    Object.assign(this, { root, config });
    this.stage = root.querySelector("[data-stage]");
    this.panes = [...this.stage.querySelectorAll("[data-pane]")].map((element) => new Pane(element));
    for (const pane of this.panes) pane.onlost = () => this.ask();
    const { map, x, y, zoom } = config;
    this.map = map;
    this.at = { x: x / 2 ** zoom, y: y / 2 ** zoom, zoom };
    this.to = { ...this.at };
    new ResizeObserver(() => this.measure()).observe(this.panes[0].element);
    this.measure();
    this.listen();
  }

  // How large a tile is: a little larger than its pixels, and so that no more fit than may be asked for.
  measure() {
    const { width, height } = this.panes[0].element.getBoundingClientRect();
    if (!width || !height) return;
    Object.assign(this, { width, height });
    const most = MOST_TILES / this.panes.length;
    this.side = clamp(this.config.resolution * 1.5, 92, Math.max(92, Math.min(200, Math.min(width, height) / 2.5)));
    while ((width / this.side / 0.84 + 2) * (height / this.side / 0.84 + 2) > most) this.side *= 1.04;
    this.laid = undefined;
    this.draw();
  }

  get level() {
    return clamp(Math.floor(this.at.zoom + 0.25), ...LEVELS);
  }

  // The tile in the middle, or at a place of the stage, in tiles of the level that is shown.
  tileAt(clientX, clientY) {
    const box = this.panes[0].element.getBoundingClientRect();
    const scale = this.side * 2 ** (this.at.zoom - this.level);
    const left = (clientX - box.left) % (box.width + (this.panes.length > 1 ? this.seam(box) : 0));
    return [
      Math.round(this.at.x * 2 ** this.level + (left - this.width / 2) / scale),
      Math.round(this.at.y * 2 ** this.level + (clientY - box.top - this.height / 2) / scale),
    ];
  }

  seam(box) {
    return this.panes[1].element.getBoundingClientRect().left - box.right;
  }

  draw() {
    if (!this.side) return;
    const level = this.level;
    const factor = 2 ** level;
    const k = 2 ** (this.at.zoom - level);
    const [x, y] = [this.at.x * factor, this.at.y * factor];
    const reach = [this.width, this.height].map((length) => length / 2 / this.side / k);
    const rectangle = [
      Math.round(x - reach[0]), Math.round(y - reach[1]), Math.round(x + reach[0]), Math.round(y + reach[1]),
    ];
    const laid = `${level}/${rectangle}`;
    if (laid !== this.laid) {
      // Places are given from a tile nearby: a browser counts pixels with few digits.
      if (this.anchorLevel !== level || gap(this.anchor, [x, y]) > 200) {
        [this.anchor, this.anchorLevel] = [[Math.round(x), Math.round(y)], level];
      }
      for (const pane of this.panes) pane.lay(rectangle, level, this.anchor, this.side);
      this.laid = laid;
      this.rectangle = rectangle;
      this.ask();
    }
    const move = [
      this.width / 2 - (x - this.anchor[0]) * this.side * k, this.height / 2 - (y - this.anchor[1]) * this.side * k,
    ];
    for (const pane of this.panes) {
      pane.plane.style.transform = `translate(${move[0]}px, ${move[1]}px) scale(${k})`;
    }
    this.stage.style.setProperty("--side", `${this.side}px`);
    this.remember();
  }

  // Going there

  go(to, { at_once = false } = {}) {
    Object.assign(this.to, to);
    this.to.zoom = clamp(this.to.zoom, ...LEVELS);
    if (at_once || calm.matches) {
      Object.assign(this.at, this.to);
      this.draw();
    } else if (!this.frame) {
      this.before = performance.now();
      this.frame = requestAnimationFrame((now) => this.glide(now));
    }
  }

  glide(now) {
    const share = 1 - Math.exp(-(now - this.before) / 70);
    this.before = now;
    const left = { x: this.to.x - this.at.x, y: this.to.y - this.at.y, zoom: this.to.zoom - this.at.zoom };
    const is_there = Math.hypot(left.x, left.y) * this.side * 2 ** this.at.zoom < 0.5 && Math.abs(left.zoom) < 0.002;
    for (const name of Object.keys(left)) this.at[name] += is_there ? left[name] : left[name] * share;
    this.draw();
    this.frame = is_there ? 0 : requestAnimationFrame((next) => this.glide(next));
  }

  pan(right, down) {
    const unit = this.side * 2 ** this.to.zoom;
    this.go({ x: this.to.x + right / unit, y: this.to.y + down / unit });
  }

  // Nearer by so many levels; what lies under the pointer stays there.
  zoom(levels, clientX, clientY, options) {
    const zoom = clamp(this.to.zoom + levels, ...LEVELS);
    const box = this.panes[0].element.getBoundingClientRect();
    const from = clientX === undefined ? [0, 0] : [
      (clientX - box.left) % box.width - this.width / 2, clientY - box.top - this.height / 2,
    ];
    const moved = (1 / 2 ** this.to.zoom - 1 / 2 ** zoom) / this.side;
    this.go({ x: this.to.x + from[0] * moved, y: this.to.y + from[1] * moved, zoom }, options);
  }

  // Asking for pictures: always one request on its way, for what is in view when it leaves.

  ask() {
    this.wanting = true;
    if (!this.asking) this.asking = this.keepAsking().finally(() => (this.asking = undefined));
    this.wake?.();
  }

  missing() {
    const [left, top, right, bottom] = this.rectangle;
    const middle = [(left + right) / 2, (top + bottom) / 2];
    return [...this.panes[0].cells.values()]
      .filter((cell) => this.panes.some((pane) => !pane.pictures.url(cell.name)))
      .sort((a, b) => gap([a.x, a.y], middle) - gap([b.x, b.y], middle))
      .slice(0, Math.floor(MOST_TILES / this.panes.length));
  }

  async keepAsking() {
    let pause = FIRST_POLL;
    while (this.root.isConnected) {
      this.wanting = false;
      const cells = this.missing();
      if (!cells.length) return this.say("");
      pause = (await this.request(cells)) ?? Math.min(SLOWEST_POLL, pause * 1.25);
      if (pause === Infinity) return undefined;
      await this.sleep(this.wanting ? 60 : pause);
      if (this.wanting) pause = FIRST_POLL;
    }
    return undefined;
  }

  // A view that changes does not wait for the next question to be due.
  sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        setTimeout(resolve, Math.min(60, milliseconds));
        this.wake = undefined;
      };
    });
  }

  // One request. Return how long to wait for the next one, Infinity for none, nothing for as long as before.
  async request(cells) {
    const { ask, token, networks } = this.config;
    const { map } = this;
    const tiles = cells.map(({ x, y, zoom }) => [x, y, zoom]);
    const names = cells.map(({ name }) => name);
    let response;
    let answer;
    try {
      response = await fetch(ask, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": token },
        body: JSON.stringify({ networks, map, tiles, again: this.again }),
      });
      answer = await response.json();
    } catch {
      this.say(this.root.dataset.textAway);
      return 3000;
    }
    this.again = false;
    if (map !== this.map) return FIRST_POLL;
    if (response.status === 429) {
      this.say(answer.problem);
      return 1000 * (Number(response.headers.get("Retry-After")) || 5);
    }
    if (!response.ok) {
      this.say(answer.problem, true);
      this.onrefused?.();
      return Infinity;
    }
    const made = new Set(answer.made);
    answer.networks.forEach(({ base, keys }, index) => {
      const pane = this.panes[index];
      keys.forEach((key, place) => made.has(key) && pane.pictures.add(names[place], `${base}${key}.webp`));
      for (const cell of pane.cells.values()) pane.fill(cell);
    });
    this.onmade?.();
    if (answer.problem) {
      this.say(answer.problem, true);
      return Infinity;
    }
    this.explain(answer, made.size);
    return undefined;
  }

  // What is in the way is said only when it takes a while.
  explain(answer, count) {
    this.waitsSince = answer.waits && !count ? (this.waitsSince ?? Date.now()) : undefined;
    const is_long = this.waitsSince && Date.now() - this.waitsSince > 2500;
    const { textNoWorker, textBusy } = this.root.dataset;
    this.say(is_long ? (answer.away ? textNoWorker : textBusy) : "");
  }

  say(text, can_try = false) {
    const line = this.root.querySelector("[data-said]");
    if (!line) return;
    line.hidden = !text;
    if (line.firstElementChild.textContent !== text) line.firstElementChild.textContent = text ?? "";
    line.querySelector("[data-do=again]").hidden = !can_try;
  }

  show(map) {
    const scale = this.map.distance / map.distance;
    this.map = map;
    for (const pane of this.panes) pane.change();
    Object.assign(this.at, { x: this.at.x * scale, y: this.at.y * scale });
    this.go(this.at, { at_once: true });
    this.laid = undefined;
    this.draw();
  }

  // The address

  get middle() {
    const factor = 2 ** this.level;
    return { x: Math.round(this.at.x * factor), y: Math.round(this.at.y * factor), zoom: this.level };
  }

  remember() {
    if (!this.config.follows) return;
    clearTimeout(this.remembering);
    this.remembering = setTimeout(() => history.replaceState(history.state, "", this.address()), 250);
  }

  address({ x, y, zoom } = this.middle) {
    const { seed, truncation, distance, axes, centre } = this.map;
    const values = new URLSearchParams(this.config.fixed);
    if (seed) values.set("seed", seed);
    if (truncation !== 0.8) values.set("t", truncation);
    if (distance !== 0.5) values.set("d", distance);
    if (axes) axes.forEach((axis, index) => values.set(["ax", "ay"][index], axis));
    if (centre) values.set(...(this.config.point ? ["point", this.config.point] : ["centre", JSON.stringify(centre)]));
    for (const [name, value] of Object.entries({ x, y, z: zoom })) if (value) values.set(name, value);
    const query = values.toString();
    return location.pathname + (query && `?${query}`);
  }

  // Pointers, wheel and keys

  listen() {
    const { stage } = this;
    const pointers = new Map();
    let travelled = 0;
    let trail = [];
    stage.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      if (!pointers.size) travelled = 0;
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      stage.setPointerCapture(event.pointerId);
      this.go(this.at, { at_once: true });
      trail = [];
    });
    stage.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = [event.clientX, event.clientY];
      travelled += gap(before, now);
      const unit = this.side * 2 ** this.at.zoom * pointers.size;
      const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      pointers.set(event.pointerId, now);
      this.go(
        { x: this.at.x - (now[0] - before[0]) / unit, y: this.at.y - (now[1] - before[1]) / unit },
        { at_once: true },
      );
      if (others.length) {
        const middle = [(now[0] + others[0][0]) / 2, (now[1] + others[0][1]) / 2];
        this.zoom(Math.log2(gap(now, others[0]) / gap(before, others[0])) || 0, ...middle, { at_once: true });
      }
      trail = [...trail, [event.timeStamp, ...now]].slice(-5);
    });
    const lift = (event) => {
      if (!pointers.delete(event.pointerId) || pointers.size) return;
      if (event.type === "pointerup" && travelled < 6) {
        this.choose(...this.tileAt(event.clientX, event.clientY));
        return;
      }
      const [first, last] = [trail[0], trail.at(-1)];
      if (!first || event.timeStamp - last[0] > 60 || last[0] === first[0]) return;
      const speed = 160 / (last[0] - first[0]); // goes on for about so many milliseconds
      this.pan((first[1] - last[1]) * speed, (first[2] - last[2]) * speed);
    };
    stage.addEventListener("pointerup", lift);
    stage.addEventListener("pointercancel", lift);
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      const lines = event.deltaMode ? 30 : 1;
      this.zoom(clamp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0022), -1, 1), event.clientX, event.clientY);
    }, { passive: false });
    stage.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const act = this.keys[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
    this.root.addEventListener("click", (event) => {
      const act = this.acts[event.target.closest("[data-do]")?.dataset.do];
      if (!act || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      act();
    });
  }

  keys = {
    ArrowLeft: () => this.step(-1, 0),
    ArrowRight: () => this.step(1, 0),
    ArrowUp: () => this.step(0, -1),
    ArrowDown: () => this.step(0, 1),
    "+": () => this.zoom(1),
    "=": () => this.zoom(1),
    "-": () => this.zoom(-1),
    0: () => this.acts.home(),
    Enter: () => (this.chosen ? this.acts.pin() : this.choose(this.middle.x, this.middle.y)),
    p: () => this.acts.pin(),
    c: () => this.acts.centre(),
    Escape: () => this.acts.leave(),
  };

  acts = {
    nearer: () => this.zoom(1),
    farther: () => this.zoom(-1),
    home: () => this.go({ x: 0, y: 0, zoom: 0 }),
    again: () => {
      this.again = true;
      this.ask();
    },
    pin: () => this.onpin?.(),
    centre: () => this.oncentre?.(),
    leave: () => this.choose(),
  };

  // A tile further, from the chosen one where there is one; it comes to the middle.
  step(right, down) {
    const factor = 2 ** this.level;
    const from = this.chosen ?? { x: Math.round(this.to.x * factor), y: Math.round(this.to.y * factor) };
    const [x, y] = [from.x + right, from.y + down];
    this.go({ x: x / factor, y: y / factor });
    if (this.chosen) this.choose(x, y);
  }

  choose(x, y) {
    this.chosen = x === undefined ? undefined : { x, y, zoom: this.level };
    const name = this.chosen && nameOf(x, y, this.level);
    for (const pane of this.panes) pane.choose(name);
    this.onchoose?.(this.chosen, name);
  }
}

// The page around the map: the lens with the chosen picture, the settings.

class Lens {
  constructor(map, element) {
    Object.assign(this, { map, element });
    this.pictures = [...element.querySelectorAll("[data-picture]")];
    this.form = element.querySelector("form");
    map.onchoose = (tile, name) => this.show(tile, name);
    map.onmade = () => this.fill();
    map.onpin = () => this.map.chosen && this.form?.requestSubmit();
    map.oncentre = () => this.centre();
  }

  show(tile, name) {
    this.name = name;
    this.element.hidden = !tile;
    if (!tile) return;
    const text = this.element.dataset.textPlace.replace("{x}", tile.x).replace("{y}", tile.y);
    this.element.querySelector("[data-place]").textContent = text;
    document.getElementById("announce").textContent = text;
    if (this.form) {
      const { x, y, zoom } = tile;
      this.form.elements.point.value = JSON.stringify({ kind: "map", map: this.map.map, x, y, zoom });
      this.form.elements.next.value = this.map.address();
    }
    this.element.querySelector("[data-do=centre]").hidden = this.map.map.centre && !tile.x && !tile.y;
    this.fill();
  }

  fill() {
    if (!this.map.chosen) return;
    this.pictures.forEach((picture, index) => {
      const url = this.map.panes[index].pictures.url(this.name);
      picture.classList.toggle("waiting", !url);
      if (url && picture.src !== new URL(url, location).href) picture.src = url;
      if (!url) picture.removeAttribute("src");
    });
  }

  // What is chosen becomes the middle of a map of its own; where that is refused, everything stays.
  centre() {
    const { map } = this;
    if (!map.chosen) return;
    const { x, y, zoom } = map.chosen;
    const before = { shown: map.map, at: { ...map.at }, point: map.config.point };
    map.onrefused = () => {
      map.config.point = before.point;
      Object.assign(map.at, before.at);
      map.show(before.shown);
    };
    map.config.point = "";
    Object.assign(map.at, { x: 0, y: 0 });
    map.show({ ...map.map, centre: { kind: "map", map: map.map, x, y, zoom } });
    map.choose();
  }
}

// Sliders change the map as they move; a seed in the middle keeps to the truncation of what lies around it.
function follow(form, map) {
  const read = () => {
    const { t, d, ax, ay, seed } = form.elements;
    const truncation = Number(t.value);
    const axes = ax.value === "" && ay.value === "" ? null : [Number(ax.value || !Number(ay.value)), Number(ay.value || !Number(ax.value))];
    if (axes && axes[0] === axes[1]) axes[1] = axes[0] ? 0 : 1;
    let { centre } = map.map;
    if (centre?.kind === "seed") centre = { ...centre, truncation };
    return { ...map.map, seed: Number(seed.value) || 0, truncation, distance: Number(d.value), axes, centre };
  };
  const show = () => {
    for (const output of form.querySelectorAll("output")) output.value = form.elements[output.dataset.of].value;
  };
  let timer;
  form.addEventListener("input", () => {
    show();
    clearTimeout(timer);
    timer = setTimeout(() => {
      map.onrefused = undefined;
      map.show(read());
    }, 120);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("[data-dice]")?.addEventListener("click", () => {
    form.elements.seed.value = Math.floor(Math.random() * 1e6);
    form.dispatchEvent(new Event("input"));
  });
  show();
}

for (const root of document.querySelectorAll("[data-map]")) {
  const config = JSON.parse(document.getElementById(root.dataset.map).textContent);
  const map = new LatentMap(root, config);
  const lens = root.querySelector("[data-lens]");
  if (lens) new Lens(map, lens);
  const form = root.querySelector("[data-settings]");
  if (form) follow(form, map);
}
