// What moves on the page: the menu of classes, and the panel that computes the model (KanModel of model.js).
// Names and levels only ever become text (textContent) or keys of Maps; nothing of the data is executed or parsed.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const SVG = "http://www.w3.org/2000/svg";

  // ---- small things ----

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  function draw(parent, tag, attributes) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    parent.append(element);
    return element;
  }

  const share = (v) => `${100 * Math.min(Math.max(v, 0), 1)}%`;
  const minus = (text) => text.replaceAll("-", "\u2212");

  function percent(p) {
    if (p > 0 && p < 0.001) return "< 0.1%";
    if (p < 1 && p > 0.999) return "> 99.9%";
    return `${(100 * p).toFixed(1)}%`;
  }

  function figure(v) {
    if (v === null) return "unlimited";
    const size = v === 0 ? 0 : Math.floor(Math.log10(Math.abs(v)));
    if (size < -4 || size > 6) return minus(v.toExponential(2));
    return minus(v.toLocaleString("en-US", { minimumFractionDigits: Math.max(2 - size, 0), maximumFractionDigits: Math.max(2 - size, 0) }));
  }

  function signed(v) {
    const text = v.toFixed(2);
    return Number(text) === 0 ? "0.00" : minus(v > 0 ? `+${text}` : text);
  }

  /** The shortest decimal of a slider's value. */
  const rounded = (value, step) => Number((Math.round(value / step) * step).toPrecision(12));

  // ---- the menu of classes ----

  const menu = document.getElementById("class-menu");
  let shownClass = 0;
  const listeners = [];
  if (menu) {
    menu.addEventListener("change", () => {
      shownClass = Number(menu.value);
      for (const view of document.querySelectorAll("[data-class]")) view.hidden = Number(view.dataset.class) !== shownClass;
      for (const listener of listeners) listener();
    });
    menu.value = "0"; // some browsers keep the choice of the last visit
  }

  // ---- paper shows everything ----

  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open], .source)")];
    for (const details of opened) details.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });

  // ---- the panel ----

  const panel = document.getElementById("panel");
  if (!data.model || !panel) return;

  const model = KanModel(data.model);
  const { features } = model;
  const multiclass = data.task === "multiclass";
  const classes = data.model.classes;
  const write = classes ? percent : figure;
  const unit = data.unit ? ` ${data.unit}` : "";

  /** One factor: its inputs, and what it holds. */
  function makeRow(feature, k) {
    const id = `what-if-${k}`;
    const row = make("div", { class: "asked-row", role: "group", "aria-labelledby": `${id}-name` });
    const name = make("label", { class: "asked-name", id: `${id}-name`, for: id }, feature.label);
    if (feature.unit) name.append(make("span", { class: "asked-unit" }, ` (${feature.unit})`));
    const inputs = make("div", { class: "asked-input" });
    const bar = document.createElementNS(SVG, "svg");
    for (const [key, value] of [["class", "track"], ["height", "18"], ["aria-hidden", "true"]]) bar.setAttribute(key, value);
    const number = make("span");
    row.append(make("div", {}, name), inputs, make("div", { class: "asked-effect" }, bar, number));
    const held = feature.kind === "category" ? askLevel(feature, id, inputs) : askNumber(feature, id, inputs);
    return { feature, row, bar, number, ...held };
  }

  function askLevel(feature, id, inputs) {
    const select = make("select", { id, "data-feature": feature.name });
    const choices = [...feature.levels];
    feature.levels.forEach((level, k) => select.append(make("option", { value: k }, level === "" ? "(empty)" : level)));
    if (feature.missing || feature.typical === null) {
      choices.push(null);
      select.append(make("option", { value: choices.length - 1 }, "missing"));
    }
    select.addEventListener("change", update);
    inputs.append(select);
    return {
      get: () => choices[Number(select.value)],
      set: (value) => {
        // The model reads 3, 3.0 and "3" alike, and true as 1.
        const text = String(typeof value === "boolean" ? Number(value) : value);
        let k = value === null ? choices.indexOf(null) : choices.findIndex((c) => c !== null && c === text);
        if (k < 0) { // a patient's level that training did not have
          choices.push(value);
          k = choices.length - 1;
          select.append(make("option", { value: k }, value === null ? "missing" : `${text} (new)`));
        }
        select.value = String(k);
      },
    };
  }

  function askNumber(feature, id, inputs) {
    const field = make("input", { type: "number", id, step: "any", inputmode: "decimal", "data-feature": feature.name });
    const known = feature.low !== null && feature.high > feature.low;
    const slider = known && make("input", { type: "range", min: feature.low, max: feature.high, step: feature.integer ? 1 : "any", "aria-labelledby": `${id}-name` });
    let absent = null;
    function setAbsent(value) {
      if (absent) absent.checked = value;
      field.disabled = value;
      if (slider) slider.disabled = value;
    }
    function makeAbsent() {
      absent = make("input", { type: "checkbox", "data-missing": feature.name });
      absent.addEventListener("change", () => {
        setAbsent(absent.checked);
        update();
      });
      inputs.append(make("label", { class: "asked-missing" }, absent, "missing"));
    }
    if (slider) {
      slider.addEventListener("input", () => {
        const value = Number(slider.value);
        const inside = feature.integer ? value : Math.min(Math.max(rounded(value, feature.step), feature.low), feature.high);
        field.value = String(inside);
        update();
      });
      inputs.append(slider);
    }
    field.addEventListener("input", () => {
      if (slider && field.value !== "") slider.value = field.value;
      update();
    });
    inputs.append(field);
    if (feature.missing) makeAbsent();
    return {
      // An empty or unreadable field keeps the last prediction: undefined.
      get: () => (absent && absent.checked ? null : field.value === "" ? undefined : Number(field.value)),
      set: (value) => {
        if (value === null && !absent) makeAbsent();
        setAbsent(value === null);
        const shown = value === null ? feature.typical : Number(value);
        field.value = shown === null ? "" : String(shown);
        if (slider && shown !== null) slider.value = String(shown);
      },
    };
  }

  const rows = features.map(makeRow);

  // The answer, which stays in sight.
  const answerName = make("div", { class: "answer-name" });
  const value = make("output", { class: "answer-value", id: "risk" });
  const interval = make("div", { class: "answer-interval", id: "risk-interval" });
  const tools = make("div", { class: "answer-tools" });
  const reset = make("button", { type: "button", id: "reset" }, "Reset");
  const bar = document.createElementNS(SVG, "svg");
  for (const [key, text] of [["class", "track answer-bar"], ["height", "18"], ["aria-hidden", "true"]]) bar.setAttribute(key, text);
  const list = make("table", { class: "bars answer-list" });
  const set = make("p", { class: "answer-set", id: "conformal" });
  const flags = make("p", { class: "notice answer-flags", id: "outside" });
  const spoken = make("p", { class: "hidden", "aria-live": "polite", id: "spoken" });
  flags.hidden = true;
  set.hidden = true;

  if (data.patients.length) {
    const chooser = make("select", { id: "load-patient" }, make("option", { value: "" }, "typical case"));
    data.patients.forEach((patient, k) => chooser.append(make("option", { value: k }, patient.name)));
    chooser.addEventListener("change", () => (chooser.value === "" ? setTypical() : setAll(data.patients[Number(chooser.value)].values)));
    tools.append(make("label", { for: "load-patient" }, "Load "), chooser);
    reset.addEventListener("click", () => { chooser.value = ""; });
  }
  reset.addEventListener("click", setTypical);
  tools.append(reset);

  const answer = make("div", { class: "answer" }, make("div", { class: "answer-top" }, answerName, value, interval));
  if (multiclass) answer.append(list);
  else if (classes) answer.append(bar);
  answer.append(set, flags);
  const asked = make("div", { class: "asked" });
  const head = make("div", { class: "asked-row asked-head" }, make("div", {}, "factor"), make("div", {}, "value"), make("div", {}, "adds to the prediction"));
  asked.append(head, ...data.order.map((k) => rows[k].row));
  panel.append(tools, answer, asked, spoken);
  panel.hidden = false;

  // Rows of the list of classes.
  const lines = !multiclass ? [] : classes.map((name, k) => {
    const own = document.createElementNS(SVG, "svg");
    for (const [key, text] of [["class", "track"], ["height", "18"], ["aria-hidden", "true"]]) own.setAttribute(key, text);
    const number = make("td", { class: "number", "data-probability": k });
    const line = make("tr", {}, make("th", { scope: "row" }, name), make("td", { class: "track-cell" }, own), number);
    list.append(line);
    return { line, own, number };
  });

  function setAll(values) {
    rows.forEach((row, k) => row.set(values[k]));
    update();
  }

  function setTypical() {
    setAll(features.map((f) => f.typical));
  }

  let announcement = 0;
  function announce(text) {
    clearTimeout(announcement); // one sentence when the slider rests, not one a pixel
    announcement = setTimeout(() => { spoken.textContent = text; }, 600);
  }

  function drawBar(svg, spans, marks = []) {
    svg.replaceChildren();
    for (const [from, to, cls, thin] of spans) {
      const [low, high] = from <= to ? [from, to] : [to, from];
      const width = Math.min(Math.max(high, 0), 1) - Math.min(Math.max(low, 0), 1);
      draw(svg, "rect", { class: cls, x: share(low), width: share(width), y: thin ? 8 : 3, height: thin ? 2 : 12 });
    }
    for (const at of marks) draw(svg, "line", { class: "zero", x1: share(at), x2: share(at), y1: 0, y2: 18 });
  }

  function update() {
    const values = new Map();
    for (const row of rows) {
      const own = row.get();
      if (own === undefined || own !== own) return; // half-typed
      values.set(row.feature.name, own);
    }
    let result;
    try {
      result = model.evaluate(values);
    } catch (error) { // a number too large to compute with
      value.textContent = "\u2013";
      value.removeAttribute("data-value");
      interval.textContent = error instanceof RangeError ? "a number is too large" : "";
      return;
    }
    show(result);
  }

  function show(result) {
    const k = multiclass ? shownClass : result.response.length - 1;
    const name = data.names[k] ?? data.names[0];
    const risk = result.response[k];
    answerName.textContent = classes ? `Probability of ${name}` : name;
    value.textContent = write(risk) + (classes ? "" : unit);
    value.dataset.value = String(risk);
    if (result.low) {
      value.dataset.low = String(result.low[k]);
      value.dataset.high = String(result.high[k]);
      interval.textContent = `${write(result.low[k])} to ${write(result.high[k])} (${Number((100 * data.model.interval.level).toPrecision(3))}% interval)`;
    }
    if (classes && !multiclass) {
      const spans = [[0, 1, "bar-soft"], [0, risk, "bar-1"]];
      if (result.low) spans.push([result.low[k], result.high[k], "whisker", true]);
      drawBar(bar, spans);
    }
    lines.forEach(({ line, own, number }, c) => {
      line.className = c === shownClass ? "chosen" : "";
      drawBar(own, [[0, 1, "bar-soft"], [0, result.response[c], "bar-1"]]);
      number.textContent = percent(result.response[c]);
      number.dataset.value = String(result.response[c]);
    });
    showConformal(result.conformal);
    showEffects(result, multiclass ? shownClass : 0);
    announce(`${answerName.textContent}: ${value.textContent}`);
  }

  function showConformal(conformal) {
    set.hidden = !conformal;
    if (!conformal) return;
    const level = `${Number((100 * data.model.conformal.confidence_level).toPrecision(3))}%`;
    set.textContent = conformal.set
      ? `Holds the true class with ${level} confidence: ${conformal.set.join(", ")}`
      : `Holds the true value with ${level} confidence: ${figure(conformal.interval[0])} to ${figure(conformal.interval[1])}${unit}`;
  }

  function showEffects(result, output) {
    const outside = new Set(result.extrapolates);
    const own = result.contributions.map((c) => c.values[output]);
    const reach = Math.max(data.reach[output], ...own.map(Math.abs)) || 1;
    rows.forEach((row, k) => {
      const at = 0.5 + own[k] / (2 * reach);
      drawBar(row.bar, [[0.5, at, own[k] > 0 ? "bar-up" : "bar-down"]], [0.5]);
      row.number.textContent = signed(own[k]);
      row.number.dataset.value = String(own[k]);
      row.row.classList.toggle("outside", outside.has(row.feature.name));
    });
    flags.hidden = outside.size === 0;
    const names = features.filter((f) => outside.has(f.name)).map((f) => f.label);
    flags.textContent = `Outside the training data: ${names.join(", ")}. The prediction is an extrapolation.`;
  }

  listeners.push(update);
  setTypical();
})();
