// Elements, made without markup: text stays text.

/** An element with attributes, listeners (`onclick: f`) and children; strings become text. */
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A canvas as sharp as the screen, with words for those who do not see it. */
function surface(className, words, attributes = {}) {
  const canvas = el("canvas", { class: className, role: "img", "aria-label": words, ...attributes });
  const context = canvas.getContext("2d");
  const resize = (width, height) => {
    const sharp = window.devicePixelRatio || 1;
    canvas.style.height = `${height}px`;
    if (canvas.width !== Math.round(width * sharp) || canvas.height !== Math.round(height * sharp)) {
      canvas.width = Math.round(width * sharp);
      canvas.height = Math.round(height * sharp);
    }
    context.setTransform(sharp, 0, 0, sharp, 0, 0);
    context.font = FONT;
    context.textBaseline = "alphabetic";
  };
  return { canvas, context, resize };
}

const FONT = "11px ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace";

/** The page's colours, as they are now: light or dark. */
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ok: colour("ok"), okBg: colour("ok-bg"), fail: colour("fail"), failBg: colour("fail-bg"),
    info: colour("info"), infoBg: colour("info-bg"), ink: colour("ink"), soft: colour("soft"),
    line: colour("line"), panel: colour("panel"), sunk: colour("sunk"), window: colour("window"),
    windowInk: colour("window-ink"), wash: Number(colour("wash")) || 0.1,
    invalid: colour("invalid"), valid: colour("valid"), focus: colour("focus"),
  };
}

/** Does the work once a frame, however often it is asked for. */
function oncePerFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}
