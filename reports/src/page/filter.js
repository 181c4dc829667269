// Which operations match what a reader asks for.

const NO_FILTER = { text: "", f: "", process: "", key: "", node: "", ok: true, fail: true, info: true };

/** Whether a filter asks for anything. */
const asks = (filter) => Object.keys(NO_FILTER).some((name) => filter[name] !== NO_FILTER[name]);

/** 1 for each operation that matches, and how many do; `null` if all do. */
function matching(filter) {
  if (!asks(filter)) return null;
  const wanted = [filter.ok, filter.fail, filter.info];
  const text = filter.text.trim().toLowerCase();
  const index = /^#\d+$/.test(text) ? Number(text.slice(1)) : null;
  const has = finder(text), ids = processes(filter.process);
  const key = filter.key.trim();
  const keyed = new Map();
  const isKey = (n) => {
    if (!keyed.has(n)) keyed.set(n, n > 0 && valueWords(n) === key);
    return keyed.get(n);
  };
  const matches = new Uint8Array(ops.n);
  let total = 0;
  for (let i = 0; i < ops.n; i++) {
    if (!wanted[ops.status[i]]) continue;
    if (filter.f !== "" && ops.f[i] !== Number(filter.f)) continue;
    if (filter.node !== "" && ops.node[i] !== Number(filter.node)) continue;
    if (ids && !ids.has(ops.process[i])) continue;
    if (key !== "" && !isKey(ops.key[i])) continue;
    if (index !== null ? ops.index[i] !== index && ops.index[i] + ops.close[i] - 1 !== index : text && !has(i)) continue;
    matches[i] = 1;
    total++;
  }
  return { matches, total };
}

/** Whether an operation's key, argument, result or reason has a text. Each is looked at once. */
function finder(text) {
  const values = new Map(), reasons = new Map();
  const known = (map, n, words) => {
    let found = map.get(n);
    if (found === undefined) {
      found = (words(n) ?? "").toLowerCase().includes(text);
      map.set(n, found);
    }
    return found;
  };
  return (i) =>
    known(values, ops.arg[i], valueWords) || known(values, ops.key[i], valueWords) ||
    (ops.status[i] === OK ? known(values, ops.ret[i], valueWords) : known(reasons, ops.ret[i], reasonWords));
}

/** `4`, `p4 p7` or `3, 5-8` as a set. */
function processes(text) {
  const ids = new Set();
  for (const [, first, last] of text.matchAll(/p?(\d+)(?:\s*[-–]\s*p?(\d+))?/g)) {
    for (let id = Number(first); id <= Number(last ?? first) && ids.size < 100_000; id++) ids.add(id);
  }
  return text.trim() === "" ? null : ids;
}

/** The form for it. Calls `changed` with the filter whenever it changes. */
function filterForm(changed) {
  const filter = { ...NO_FILTER };
  const later = (() => {
    let timer = 0;
    return (wait) => {
      clearTimeout(timer);
      timer = setTimeout(() => changed({ ...filter }), wait);
    };
  })();
  const set = (name, value, wait) => {
    filter[name] = value;
    later(wait);
  };
  const text = (name, words, hint, list) => el("label", {}, words, el("input", {
    type: name === "text" ? "search" : "text", name, placeholder: hint, list, autocomplete: "off", spellcheck: "false",
    oninput: (event) => set(name, event.target.value, 120),
  }));
  const choice = (name, words, options) => el("label", {}, words, el("select", {
    name, onchange: (event) => set(name, event.target.value, 0),
  }, el("option", { value: "" }, "any"), ...options.map(([value, shown]) => el("option", { value }, shown))));
  const box = (name) => el("label", { class: "box" }, el("input", {
    type: "checkbox", name, checked: true, onchange: (event) => set(name, event.target.checked, 0),
  }), el("span", { class: `key ${name}` }), name);

  const keys = [...new Set(ops.key)].filter((key) => key > 0);
  const nodes = [...new Set(ops.node)].filter((node) => node > 0).sort((a, b) => a - b);
  const known = el("datalist", { id: "danso-keys" }, ...keys.slice(0, 300).map((key) => el("option", { value: brief(valueWords(key), 200) })));
  const form = el("form", { class: "filter", role: "search", "aria-label": "Filter the timeline", onsubmit: (event) => event.preventDefault() },
    text("text", "find", "value, result, reason, #index"),
    choice("f", "f", fWords.map((f, i) => [i, f])),
    keys.length ? text("key", "key", "any", "danso-keys") : null,
    text("process", "process", "e.g. 4, 7-9"),
    nodes.length ? choice("node", "node", nodes.map((node) => [node, `n${node}`])) : null,
    el("span", { class: "outcome-boxes", role: "group", "aria-label": "Outcomes" }, ...OUTCOMES.map(box)),
    known);
  const clear = () => {
    Object.assign(filter, NO_FILTER);
    form.reset();
    changed({ ...filter });
  };
  /** Asks for this, beside what is asked for already. */
  const ask = (wanted) => {
    Object.assign(filter, wanted);
    for (const [name, value] of Object.entries(wanted)) form.elements[name].value = value;
    changed({ ...filter });
  };
  return { form, clear, set: ask, filter: () => ({ ...filter }), focus: () => form.querySelector("input").focus() };
}
