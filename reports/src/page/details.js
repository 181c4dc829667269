// What is known of one operation: at the pointer, in the panel, read aloud, and in a table.

const TABLE_ROWS = 100;

/** The few lines at the pointer. */
function tipLines(i) {
  const end = ops.to[i] >= 0 ? `to ${moment(ops.to[i], 6)}, ${human(ops.to[i] - ops.from[i])}` : "never answered";
  const part = parts.get(i);
  return [
    brief(line(i), 400),
    `from ${moment(ops.from[i], 6)} ${end}`,
    ...(ops.node[i] ? [`asked n${ops.node[i]}`] : []),
    ...(part ? [`anomaly ${part.number + 1}: ${page.anomalies[part.number].name}`] : []),
  ];
}

/** A box that follows the pointer and says what is there. */
function tooltip() {
  const box = el("div", { class: "tip", "aria-hidden": "true", hidden: true });
  return {
    box,
    hide: () => { box.hidden = true; },
    show: (lines, x, y, width) => {
      box.replaceChildren(...lines.map((text, at) => el(at ? "div" : "b", {}, text)));
      box.hidden = false;
      const left = Math.max(4, Math.min(x + 14, width - box.offsetWidth - 8));
      box.style.left = `${left}px`;
      box.style.top = `${y + 18}px`;
    },
  };
}

/** A remark that goes away by itself. */
function passingHint() {
  const box = el("p", { class: "hint", hidden: true });
  let timer = 0;
  const show = (words) => {
    box.textContent = words;
    box.hidden = false;
    clearTimeout(timer);
    timer = setTimeout(() => { box.hidden = true; }, 3000);
  };
  return { box, show };
}

/** The link to an anomaly's card, if the page has it. */
function anomalyLink(number) {
  const words = `anomaly ${number + 1}: ${page.anomalies[number].name}`;
  return document.getElementById(`anomaly-${number + 1}`) ? el("a", { href: `#anomaly-${number + 1}` }, words) : words;
}

/** The panel about the selected operation. */
function detailsPanel(timeline) {
  const panel = el("div", { class: "details", role: "region", "aria-label": "The selected operation", hidden: true });
  const pair = (name, value) => value === null || value === undefined ? null : el("div", {}, el("dt", {}, name), el("dd", {}, value));
  const only = (words, filter) => el("span", {}, words, " ", el("button", { type: "button", class: "only", onclick: () => timeline.only(filter) }, "only this"));
  const long = (words) => (words && words.length > 300 ? el("details", {}, el("summary", {}, brief(words, 120)), words) : words);

  const fill = (i) => {
    const lines = historyLines(i), part = parts.get(i);
    const code = el("pre", { tabindex: "0" }, lines ? inert(lines.map(([, text]) => text).join("\u0000")).replaceAll("␀", "\n")
      : "A value of it is too long for this page; the history file has it.");
    const copied = el("span", { class: "none", role: "status" });
    const copy = lines && el("button", { type: "button", onclick: () => copyText(lines.map(([, text]) => text).join("\n") + "\n", code, copied) }, "copy lines");
    panel.replaceChildren(
      el("header", {},
        el("b", {}, el("a", { href: `#op-${ops.index[i]}`, title: "the address of this operation" }, `#${ops.index[i]}`), " ", el("span", { class: `key ${OUTCOMES[ops.status[i]]}` }), brief(inert(label(i)), 80)),
        el("span", { class: "buttons" },
          el("button", { type: "button", onclick: () => timeline.step(-1), title: "previous operation: [" }, "‹"),
          el("button", { type: "button", onclick: () => timeline.step(1), title: "next operation: ]" }, "›"),
          el("button", { type: "button", onclick: () => timeline.close(i) }, "zoom to it"),
          copy,
          el("button", { type: "button", onclick: () => timeline.select(-1), title: "Esc", "aria-label": "Close" }, "✕"))),
      el("dl", { class: "pairs" },
        pair("process", only(`p${ops.process[i]}`, { process: String(ops.process[i]) })),
        pair("node", ops.node[i] ? `n${ops.node[i]}` : null),
        pair("f", fWords[ops.f[i]]),
        pair("key", ops.key[i] ? only(long(valueWords(ops.key[i])), { key: valueWords(ops.key[i]) }) : null),
        pair("argument", isNil(ops.arg[i]) ? null : long(valueWords(ops.arg[i]))),
        pair("outcome", OUTCOMES[ops.status[i]]),
        pair("result", ops.status[i] === OK ? long(valueWords(ops.ret[i])) : null),
        pair("reason", ops.status[i] === OK ? null : long(reasonWords(ops.ret[i]) ?? "never answered")),
        pair("history index", `${ops.index[i]}${ops.close[i] ? `, ended by ${ops.index[i] + ops.close[i] - 1}` : ", never ended"}`),
        pair("from", moment(ops.from[i], 6)),
        pair("to", ops.to[i] >= 0 ? moment(ops.to[i], 6) : null),
        pair("latency", ops.to[i] >= 0 ? human(ops.to[i] - ops.from[i]) : null),
        pair("part of", part ? anomalyLink(part.number) : null)),
      code, copied);
  };
  return {
    panel,
    show: (i) => {
      panel.hidden = i < 0;
      if (i >= 0) fill(i);
    },
  };
}

/** Copies a text, or selects it where the browser does not let us. */
async function copyText(text, shown, says) {
  try {
    await navigator.clipboard.writeText(text);
    says.textContent = "copied";
  } catch {
    getSelection().selectAllChildren(shown);
    says.textContent = "selected: copy it with Ctrl+C";
  }
}

/** The operations in view as a table, for those who read rather than look. */
function opsTable(timeline) {
  const body = el("tbody"), caption = el("caption");
  const heads = ["index", "process", "node", "operation", "outcome", "from", "latency"];
  const table = el("details", { class: "in-view", ontoggle: () => fill() },
    el("summary", {}, "The operations in view as a table"),
    el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Operations in view" },
      el("table", {}, caption, el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))), body)));
  const row = (i) => el("tr", {},
    el("th", { scope: "row" }, el("a", { href: "#timeline", "data-op": ops.index[i] }, `#${ops.index[i]}`)),
    el("td", {}, `p${ops.process[i]}`),
    el("td", {}, ops.node[i] ? `n${ops.node[i]}` : "–"),
    el("td", { class: "value" }, brief(inert(label(i)), 80)),
    el("td", { class: "value" }, el("span", { class: `key ${OUTCOMES[ops.status[i]]}` }), brief(outcome(i), 120)),
    el("td", { class: "num" }, moment(ops.from[i], 6)),
    el("td", { class: "num" }, ops.to[i] >= 0 ? human(ops.to[i] - ops.from[i]) : "–"));
  const fill = () => {
    if (!table.open) return;
    const { places, total } = timeline.inView(TABLE_ROWS);
    caption.textContent = total > places.length
      ? `The first ${number(places.length)} of ${number(total)} operations in view; zoom in or filter to see others.`
      : `${plural(total, "operation")} in view.`;
    body.replaceChildren(...places.map(row));
  };
  return { table, fill };
}
