// Points in a still and on a plan, by clicking; the fit is asked for while they are set.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

// Where on a panel's picture an event is, in pixels of the picture.
function pixelOf(panel, event) {
  const box = panel.querySelector("img").getBoundingClientRect();
  return [
    ((event.clientX - box.left) / box.width) * Number(panel.dataset.width),
    ((event.clientY - box.top) / box.height) * Number(panel.dataset.height),
  ];
}

// Crosses with their numbers on a panel's picture.
function mark(panel, places) {
  const svg = panel.querySelector("svg.marks");
  const arm = Number(panel.dataset.width) / 70;
  svg.replaceChildren();
  for (const { at, name, chosen } of places) {
    const cross = document.createElementNS(SVG, "path");
    cross.setAttribute("d", `M${at[0] - arm} ${at[1]}h${2 * arm}M${at[0]} ${at[1] - arm}v${2 * arm}`);
    cross.setAttribute("class", chosen ? "cross chosen" : "cross");
    cross.setAttribute("stroke-width", String(arm / 4));
    const text = document.createElementNS(SVG, "text");
    text.setAttribute("x", String(at[0] + arm / 2));
    text.setAttribute("y", String(at[1] - arm / 2));
    text.setAttribute("font-size", String(arm * 2.4));
    text.setAttribute("class", "number");
    text.textContent = name;
    svg.append(cross, text);
  }
}

function zoomable(panel) {
  const canvas = panel.querySelector(".canvas");
  for (const button of panel.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      canvas.style.width = `${100 * Number(button.dataset.zoom)}%`;
    });
  }
}

function calibration(form) {
  const still = document.getElementById("still");
  const plan = document.getElementById("plan");
  const table = document.getElementById("points");
  const body = table.tBodies[0];
  const told = document.getElementById("fit");
  const image = still.querySelector("img");
  const empty = image.getAttribute("src");
  const blank = body.rows[0].cloneNode(true);
  let chosen = null;
  let waiting = 0;
  let asked = 0;

  const field = (row, name) => row.querySelector(`input[name="${name}"]`);
  const value = (row, name) => Number.parseFloat(field(row, name).value);
  const has = (row, names) => names.every((name) => Number.isFinite(value(row, name)));

  function addRow() {
    if (body.rows.length >= Number(table.dataset.most)) return null;
    const row = blank.cloneNode(true);
    for (const input of row.querySelectorAll("input")) input.value = "";
    body.append(row);
    number();
    return row;
  }

  function number() {
    [...body.rows].forEach((row, i) => { row.querySelector("[data-move]").textContent = String(i + 1); });
  }

  // The row that a click belongs to: the one that is to be moved, else the first without such numbers.
  function rowFor(names) {
    return chosen || [...body.rows].find((row) => !has(row, names)) || addRow();
  }

  function choose(row) {
    chosen = row;
    for (const one of body.rows) {
      one.querySelector("[data-move]").setAttribute("aria-pressed", String(one === chosen));
    }
  }

  function put(names, numbers, digits) {
    const row = rowFor(names);
    if (!row) return;
    names.forEach((name, i) => { field(row, name).value = numbers[i].toFixed(digits); });
    choose(null);
    changed();
  }

  function toPixel(x, y) {
    const [a, b] = [Number(plan.dataset.a), Number(plan.dataset.b)];
    const [dx, dy] = [x - Number(plan.dataset.x0), y - Number(plan.dataset.y0)];
    const size = a * a + b * b;
    return [(a * dx + b * dy) / size, (b * dx - a * dy) / size];
  }

  function marks() {
    const rows = [...body.rows].map((row, i) => ({ row, name: String(i + 1), chosen: row === chosen }));
    mark(still, rows.filter(({ row }) => has(row, ["px", "py"]))
      .map((one) => ({ ...one, at: [value(one.row, "px"), value(one.row, "py")] })));
    if (plan) mark(plan, rows.filter(({ row }) => has(row, ["x_m", "y_m"]))
      .map((one) => ({ ...one, at: toPixel(value(one.row, "x_m"), value(one.row, "y_m")) })));
  }

  function show() {
    const drawn = told.querySelector("[data-drawn]");
    const grid = still.querySelector("[data-grid]").checked;
    const source = drawn && grid ? drawn.dataset.drawn : empty;
    if (image.getAttribute("src") !== source) image.src = source;
  }

  async function fit() {
    const turn = ++asked;
    const complete = [...body.rows].filter((row) => has(row, ["px", "py", "x_m", "y_m"]));
    if (complete.length < 4) return;
    const answer = await fetch(form.dataset.fit, {
      method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "hx-request": "true" },
    });
    const text = await answer.text();
    if (turn !== asked) return;
    told.innerHTML = text;
    show();
  }

  function changed() {
    marks();
    window.clearTimeout(waiting);
    waiting = window.setTimeout(fit, 300);
  }

  const arrived = (there) => {
    still.querySelector("[data-waiting]").hidden = true;
    still.querySelector("[data-missing]").hidden = there;
    if (!there) still.querySelector(".view").hidden = true;
  };
  if (image.complete) arrived(image.naturalWidth > 0);
  image.addEventListener("load", () => arrived(true));
  image.addEventListener("error", () => arrived(false));

  still.querySelector(".canvas").addEventListener("click", (event) => {
    put(["px", "py"], pixelOf(still, event), 1);
  });
  if (plan) plan.querySelector(".canvas").addEventListener("click", (event) => {
    const [u, v] = pixelOf(plan, event);
    const [a, b] = [Number(plan.dataset.a), Number(plan.dataset.b)];
    const metres = [a * u + b * v + Number(plan.dataset.x0), b * u - a * v + Number(plan.dataset.y0)];
    put(["x_m", "y_m"], metres, 2);
  });
  form.addEventListener("input", changed);
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (event.target.matches("[data-move]")) {
      choose(row === chosen ? null : row);
      marks();
    }
    if (event.target.matches("[data-remove]")) {
      if (body.rows.length > 1) row.remove();
      choose(null);
      number();
      changed();
    }
  });
  form.querySelector("[data-add]").addEventListener("click", () => {
    const row = addRow();
    if (row) field(row, "px").focus();
  });
  still.querySelector("[data-grid]").addEventListener("change", show);
  changed();
}

// A floor plan that is chosen: shown, and two places on it clicked.
function planning(form) {
  const panel = document.getElementById("given");
  const image = panel.querySelector("img");
  const picture = form.querySelector("[name=picture]");
  let next = 0;
  const field = (name) => form.querySelector(`[name=${name}]`);

  form.querySelector("[type=file]").addEventListener("change", (event) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => {
      picture.value = reader.result.slice(reader.result.indexOf(",") + 1);
      image.src = reader.result;
      panel.hidden = false;
    });
    reader.readAsDataURL(event.target.files[0]);
  });
  image.addEventListener("load", () => {
    panel.dataset.width = image.naturalWidth;
    panel.dataset.height = image.naturalHeight;
    panel.querySelector("svg").setAttribute("viewBox", `0 0 ${image.naturalWidth} ${image.naturalHeight}`);
  });
  const marks = () => mark(panel, [1, 2].filter((i) => field(`u${i}`).value && field(`v${i}`).value)
    .map((i) => ({ at: [Number(field(`u${i}`).value), Number(field(`v${i}`).value)], name: String(i) })));
  panel.querySelector(".canvas").addEventListener("click", (event) => {
    const at = pixelOf(panel, event);
    const i = 1 + (next++ % 2);
    field(`u${i}`).value = at[0].toFixed(1);
    field(`v${i}`).value = at[1].toFixed(1);
    marks();
  });
  form.addEventListener("input", marks);
}

// A text file that is chosen goes into a field; what is no UTF-8 is read as Windows Korean.
function texts(input) {
  input.addEventListener("change", async () => {
    const bytes = await input.files[0].arrayBuffer();
    let text;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      text = new TextDecoder("euc-kr").decode(bytes);
    }
    document.getElementById(input.dataset.textInto).value = text;
  });
}

for (const panel of document.querySelectorAll(".panel")) if (panel.querySelector(".canvas")) zoomable(panel);
const points = document.getElementById("calibrate");
if (points) calibration(points);
const planned = document.getElementById("planned");
if (planned) planning(planned);
for (const input of document.querySelectorAll("[data-text-into]")) texts(input);
