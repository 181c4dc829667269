// Buttons and words around the timeline.

/** How it is shown: rows, what does not match, zoom, anomalies. */
function viewControls(on, timeline, compact) {
  const button = (words, title, act) => el("button", { type: "button", title, "aria-label": title, onclick: act }, words);
  const keyed = ops.key.some((key) => key > 0), noded = ops.node.some((node) => node > 0);
  const by = el("label", {}, "rows", el("select", { name: "rows", onchange: (event) => on.by(event.target.value) },
    el("option", { value: "process" }, "by process"),
    keyed ? el("option", { value: "key" }, "by key") : null,
    noded ? el("option", { value: "node" }, "by node") : null));
  const check = (name, words, checked) => el("input", { type: "checkbox", name, checked, "aria-label": words, onchange: (event) => on[name](event.target.checked) });
  const only = check("compact", "only rows with operations in view, as high as those need", compact);
  const anomalies = page.anomalies.length ? el("span", { class: "buttons", role: "group", "aria-label": "Anomalies" },
    button("‹", "previous anomaly: p", () => timeline.anomaly(-1)),
    button(page.anomalies.length === 1 ? "the anomaly" : `${number(page.anomalies.length)} anomalies`, "next anomaly: n", () => timeline.anomaly(1)),
    button("›", "next anomaly: n", () => timeline.anomaly(1))) : null;
  const bar = el("div", { class: "controls" }, by,
    el("label", { class: "box" }, only, "only rows in view"),
    el("label", { class: "box" }, check("hide", "hide operations that do not match", false), "hide what does not match"),
    el("span", { class: "buttons", role: "group", "aria-label": "Zoom" },
      button("−", "zoom out: -", () => timeline.zoom(1 / 0.5)),
      button("+", "zoom in: +", () => timeline.zoom(0.5)),
      button("all", "the whole run: 0", () => timeline.show(whole.from, whole.to))),
    anomalies);
  return { bar, compact: (value) => { only.checked = value; } };
}

/** What is drawn how, and which keys do what. */
function legend() {
  const mark = (name, words) => el("span", {}, el("span", { class: `mark ${name}`, "aria-hidden": "true" }), words);
  return el("div", { class: "timeline-help" },
    el("p", { class: "legend" },
      mark("ok", "ok"), mark("fail", "fail: did not happen"), mark("info", "info: nobody knows, it fades out"),
      page.faults.length ? mark("window", "fault at work") : null,
      page.anomalies.length ? mark("culprit", "cannot be ordered") : null,
      page.anomalies.length ? mark("witness", "contradicts it") : null),
    el("p", { class: "keys" }, ...KEYS.flatMap(([keys, words]) => [
      el("span", {}, ...keys.split(" ").map((key) => el("kbd", {}, key)), ` ${words}`)])));
}

/** Histories of what is shown, where they can be had whole. */
function downloadButtons(timeline) {
  const part = (words, name, wanted) => {
    const button = el("button", { type: "button", name, disabled: true }, words);
    const why = el("span", { class: "none" });
    button.addEventListener("click", () => {
      const { places, file } = wanted();
      download(file, slice(places));
    });
    const fill = () => {
      const { places, gap, extra } = wanted();
      const obstacle = gap ? "this page leaves out some of its operations; zoom in" : sliceObstacle(places);
      button.disabled = obstacle !== null;
      why.textContent = obstacle ? `not from here: ${obstacle}` : `${plural(places.length, "operation")}${extra ?? ""}`;
    };
    return { bar: el("span", {}, button, " ", why), fill };
  };
  const name = (what) => `history-${what}.jsonl`;
  const view = part("history of this view (.jsonl)", "slice-view", () => {
    const { from, to } = timeline.view(), matched = timeline.matched();
    const found = sliceOfView(from, to, matched?.matches);
    return { ...found, file: name("view"), extra: matched ? " that begin in view and match" : " that begin in view" };
  });
  const anomaly = () => {
    const number = Math.max(0, timeline.current());
    const { places, name: called } = page.anomalies[number];
    return { places: [...new Set(places)], file: name(`anomaly-${number + 1}`), extra: ` of ${inert(called)}` };
  };
  const all = page.anomalies.length ? [view, part("history of this anomaly (.jsonl)", "slice-anomaly", anomaly)] : [view];
  const bar = el("div", { class: "downloads" }, ...all.map((one) => one.bar),
    el("p", { class: "none" }, "danso check reads them. What happened before a part is not in it: judged alone, its first operations may look wrong. --initial says what was there before; danso shrink finds a part that is wrong by itself."));
  return { bar, fill: () => all.forEach((one) => one.fill()) };
}
