// The timeline as a whole: what it shows, and how its parts work together.

/** Of more rows than this only those in view are shown at first. */
const MANY_ROWS = 24;

/** Starts the timeline in `root`. `timeline` below is what its parts, and links, may ask of it. */
function startTimeline(root) {
  const least = page.timed ? 2_000 : 4, most = whole.to - whole.from;
  const pad = most * 0.012;
  let view = { from: whole.from - pad, to: whole.to + pad };
  let rows = arrange("process"), stacked, places, matched = null, drawn = null;
  let hide = false, compact = rows.ids.length > MANY_ROWS, selected = -1, hovered = -1, current = -1;
  let colours = readColours();
  let named = namedRows();

  const overview = surface("overview", `The whole run in one strip: ${plural(page.total, "operation")}, ${plural(page.faults.length, "fault")}, ${plural(page.anomalies.length, "anomaly", "anomalies")}`);
  const head = surface("head", "Phases, faults, nodes and the time axis");
  const body = surface("rows", "Operations over time. Arrow keys pan, plus and minus zoom, square brackets step through operations; the table below lists those in view.", { tabindex: "0", role: "application" });
  const brush = el("div", { class: "brush" }), spacer = el("div");
  const scroller = el("div", { class: "rows-scroller" }, body.canvas, spacer);
  const tip = tooltip(), live = el("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });
  const says = el("p", { class: "counted none" }), hint = passingHint();

  const left = () => (root.clientWidth < 560 ? 46 : 84);
  const clamp = (from, to) => {
    let span = Math.max(least, Math.min(to - from, most + 2 * pad));
    if (!Number.isFinite(span)) span = most + 2 * pad;
    const middle = Number.isFinite(from + to) ? (from + to) / 2 : most / 2;
    const low = whole.from - Math.max(pad, span * 0.05), high = whole.to + Math.max(pad, span * 0.05);
    const start = Math.max(low, Math.min(middle - span / 2, high - span));
    return { from: start, to: start + span };
  };

  /** Rows of operations that anomalies name stand out. */
  function namedRows() {
    return new Set([...parts.keys()].map((i) => rows.rowOf[i]));
  }

  /** Which rows there are: all, or as much of them as operations in view need. */
  function restack() {
    const { matches } = matched ?? {};
    const only = matches && hide;
    let wanted = null;
    if (compact || only) {
      wanted = new Uint8Array(rows.ids.length);
      const want = (i) => {
        if (only && !matches[i]) return;
        const row = rows.rowOf[i];
        if (rows.laneOf[i] >= wanted[row]) wanted[row] = rows.laneOf[i] + 1;
      };
      if (compact) eachInView(want);
      else for (let i = 0; i < ops.n; i++) want(i);
      if (selected >= 0) want(selected);
    }
    stacked = stack(rows, wanted);
    places = new Int32Array(rows.ids.length).fill(-1);
    stacked.shown.forEach((row, at) => { places[row] = at; });
    spacer.style.height = `${Math.max(0, stacked.height + 8 - scroller.clientHeight)}px`;
  }

  const slack = rows.longest.reduce((a, b) => Math.max(a, b), 0);
  /** All operations that are at work in the view. */
  function eachInView(visit) {
    for (let at = seekAll(view.from - slack); at < ops.n; at++) {
      const i = inOrder[at];
      if (ops.from[i] > view.to) break;
      if (endOf(i) >= view.from) visit(i);
    }
  }

  function inView(atMost) {
    const found = [];
    let total = 0;
    eachInView((i) => {
      if (matched && !matched.matches[i]) return;
      if (total++ < atMost) found.push(i);
    });
    return { places: found, total };
  }

  function frame() {
    const width = scroller.clientWidth, gutter = left(), scale = (width - gutter) / (view.to - view.from);
    return {
      rows, stacked, places, colours, named, selected, hovered, hide, faint: 0.2,
      matches: matched?.matches ?? null, scroll: scroller.scrollTop,
      from: view.from, to: view.to, width, height: scroller.clientHeight, left: gutter,
      x: (t) => gutter + (t - view.from) * scale,
    };
  }

  function draw() {
    const width = root.clientWidth;
    if (width === 0) return;
    if (compact) restack();
    const now = frame();
    if (drawn !== width || overview.stale) {
      drawn = width;
      overview.stale = false;
      overview.resize(width, STRIP);
      paintOverview(overview.context, { ...now, width });
    }
    head.resize(now.width, headHeight);
    paintHead(head.context, now);
    body.resize(now.width, now.height);
    frameText = body.context.measureText("m").width || frameText;
    paintRows(body.context, now);
    placeBrush(brush, { ...view, left: now.left, width });
    settle();
  }
  const redraw = oncePerFrame(draw);

  /** What follows the view but need not follow every frame. */
  let settling = 0;
  function settle() {
    clearTimeout(settling);
    settling = setTimeout(() => {
      const { total } = inView(0);
      const match = matched ? `${number(matched.total)} of ${plural(ops.n, "operation")} match, ` : "";
      says.textContent = `${match}${number(total)} in view, ${moment(Math.max(view.from, whole.from))} to ${moment(Math.min(view.to, whole.to))}`;
      table.fill();
      downloads.fill();
    }, 80);
  }

  /** The height that all rows need, within reason. */
  function fit() {
    const room = Math.max(160, Math.min(520, window.innerHeight * 0.62));
    scroller.style.height = `${Math.min(room, Math.max(3 * LANE, stacked.height + 6))}px`;
  }

  function refresh() {
    restack();
    fit();
    restack();
    redraw();
  }

  /** Brings an operation's row into sight. */
  function reveal(i) {
    restack();
    const at = places[rows.rowOf[i]];
    if (at < 0) return;
    const top = stacked.tops[at] + rows.laneOf[i] * LANE;
    if (top < scroller.scrollTop || top + 2 * LANE > scroller.scrollTop + scroller.clientHeight) {
      scroller.scrollTop = top - scroller.clientHeight / 2;
    }
  }

  function select(i, aloud = true) {
    selected = i;
    if (i >= 0) reveal(i);
    details.show(i);
    if (aloud) live.textContent = i >= 0 ? `${line(i)}, at ${moment(ops.from[i])}` : "Nothing is selected.";
    redraw();
  }

  /** Shows an operation so large that it can be told from its neighbours. */
  function close(i) {
    const span = Math.max((endOf(i) - ops.from[i]) * 12, most / 2000, least * 8);
    const wide = view.to - view.from;
    const wanted = Math.min(wide, span), middle = (ops.from[i] + endOf(i)) / 2;
    timeline.show(middle - wanted / 2, middle + wanted / 2);
    select(i);
  }

  function showAnomaly(number) {
    current = number;
    downloads.fill();
    const known = page.anomalies[number].places.filter((i) => i >= 0);
    if (known.length === 0) {
      live.textContent = `Anomaly ${number + 1} names no operation of this history.`;
      return;
    }
    // Many operations may lie far apart: then the first two say more than all.
    const near = known.slice(0, 12);
    const from = Math.min(...near.map((i) => ops.from[i])), to = Math.max(...near.map(endOf));
    const margin = Math.max((to - from) * 0.15, least * 4);
    timeline.show(from - margin, to + margin);
    select(known[0], false);
    live.textContent = `Anomaly ${number + 1} of ${page.anomalies.length}: ${page.anomalies[number].name}. ${line(known[0])}`;
  }

  function hit(x, y) {
    if (x < left()) return -1;
    const now = frame(), at = rowAt(stacked, y + now.scroll);
    if (at < 0 || at >= stacked.shown.length) return -1;
    const row = stacked.shown[at];
    const lane = Math.max(0, Math.min(stacked.lanes[at] - 1, Math.floor((y + now.scroll - stacked.tops[at]) / LANE)));
    const t = view.from + (x - now.left) * ((view.to - view.from) / (now.width - now.left));
    const reach = 5 * ((view.to - view.from) / (now.width - now.left));
    const track = rows.first[row] + lane;
    let best = -1, distance = reach;
    for (let place = seek(rows, track, t - rows.longest[track] - reach); place < rows.start[track + 1]; place++) {
      const i = rows.list[place];
      if (ops.from[i] > t + reach) break;
      if (hide && matched && !matched.matches[i]) continue;
      const away = Math.max(0, ops.from[i] - t, t - endOf(i)) - (parts.has(i) ? reach / 4 : 0);
      if (away <= distance) [best, distance] = [i, away];
    }
    return best;
  }

  const timeline = {
    view: () => view, left, inView, select, close, hint: () => hint.show("Click the timeline to zoom with the wheel, or hold Ctrl."),
    show: (from, to) => {
      view = clamp(from, to);
      redraw();
    },
    pan: (share) => timeline.show(view.from + share * (view.to - view.from), view.to + share * (view.to - view.from)),
    zoom: (times, at) => {
      const wide = scroller.clientWidth - left();
      const share = at === undefined ? centre() : Math.max(0, Math.min(1, (at - left()) / wide));
      const span = Math.max(least, Math.min((view.to - view.from) * times, most + 2 * pad));
      const fixed = view.from + share * (view.to - view.from);
      timeline.show(fixed - share * span, fixed + (1 - share) * span);
    },
    edge: (side) => {
      const span = view.to - view.from;
      if (side < 0) timeline.show(whole.from, whole.from + span);
      else timeline.show(whole.to - span, whole.to);
    },
    scrollBy: (pixels) => { scroller.scrollTop += pixels; },
    step: (by) => {
      let at = selected < 0 ? seekAll(view.from) - (by > 0 ? 1 : 0) : inOrder.indexOf(selected);
      do at += by; while (at >= 0 && at < ops.n && matched && !matched.matches[inOrder[at]]);
      if (at < 0 || at >= ops.n) return;
      const i = inOrder[at], span = view.to - view.from;
      if (ops.from[i] < view.from || endOf(i) > view.to) timeline.show(ops.from[i] - span / 2, ops.from[i] + span / 2);
      select(i);
    },
    anomaly: (by) => {
      const all = page.anomalies.length;
      if (all === 0) live.textContent = "There is no anomaly.";
      else showAnomaly(current < 0 ? (by > 0 ? 0 : all - 1) : (current + by + all) % all);
    },
    find: () => form.focus(),
    clear: () => {
      if (selected >= 0) select(-1);
      else form.clear();
    },
    hover: (x, y, pick) => {
      if (x < 0) {
        hovered = -1;
        tip.hide();
        return redraw();
      }
      const lines = pick ? (hovered = hit(x, y)) >= 0 && tipLines(hovered) : headWords(x, y, frame());
      if (lines) {
        const canvas = pick ? body.canvas : head.canvas;
        const box = canvas.getBoundingClientRect(), base = stage.getBoundingClientRect();
        tip.show(lines, x, y + box.top - base.top, root.clientWidth);
      } else tip.hide();
      return redraw();
    },
    mark: (number) => {
      if (page.anomalies[number]) current = number;
      downloads.fill();
    },
    say: (words) => {
      live.textContent = words;
      hint.show(words);
    },
    only: (wanted) => form.set(wanted),
    showAnomaly, current: () => current, matched: () => matched,
  };
  const centre = () => {
    if (selected < 0) return 0.5;
    const share = ((ops.from[selected] + endOf(selected)) / 2 - view.from) / (view.to - view.from);
    return share > 0 && share < 1 ? share : 0.5;
  };

  const form = filterForm((filter) => {
    matched = matching(filter);
    refresh();
  });
  const details = detailsPanel(timeline), table = opsTable(timeline), downloads = downloadButtons(timeline);
  const controls = viewControls({
    by: (by) => {
      rows = arrange(by);
      compact = by !== "process" || rows.ids.length > MANY_ROWS;
      controls.compact(compact);
      named = namedRows();
      scroller.scrollTop = 0;
      refresh();
      if (selected >= 0) reveal(selected);
    },
    hide: (on) => {
      hide = on;
      refresh();
    },
    compact: (on) => {
      compact = on;
      refresh();
    },
  }, timeline, compact);
  const stage = el("div", { class: "stage" },
    el("div", { class: "strip" }, overview.canvas, brush), head.canvas, scroller, tip.box, hint.box);
  root.append(...[page.rule ? el("p", { class: "warning" }, page.rule) : null, form.form, controls.bar, stage, says,
    details.panel, legend(), downloads.bar, table.table, live].filter(Boolean));

  scroller.addEventListener("scroll", redraw, { passive: true });
  pointerInput(body.canvas, timeline, (x, y) => {
    body.canvas.focus({ preventScroll: true });
    select(hit(x, y));
  });
  pointerInput(head.canvas, timeline, null);
  overviewInput(overview.canvas, brush, timeline);
  wheelInput(body.canvas, root, timeline);
  wheelInput(head.canvas, root, timeline);
  keyInput(root, timeline);
  new ResizeObserver(() => refresh()).observe(root);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    colours = readColours();
    overview.stale = true;
    redraw();
  });
  refresh();
  draw();
  performance.mark("danso:timeline");
  return {
    ...timeline,
    state: () => ({
      from: view.from + origin, to: view.to + origin, selected: selected < 0 ? null : ops.index[selected],
      visible: inView(0).total, matching: matched ? matched.total : ops.n, shown: ops.n, total: page.total,
      anomaly: current < 0 ? null : current + 1, rows: { by: rows.by, shown: stacked.shown.length, all: rows.ids.length },
      filters: form.filter(),
    }),
    draw,
  };
}
