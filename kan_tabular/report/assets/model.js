// The model of a page: KanModel(payload).evaluate(values), from the data that kan_tabular.report.payload wrote.
// A classic script without dependencies. Nothing in the payload is executed.
"use strict";

const KanModel = (() => {
  // ---- data ----

  /** Doubles of {f64: base64 of little-endian bytes}. */
  function unpack(data) {
    const text = atob(data.f64);
    const bytes = new DataView(new ArrayBuffer(text.length));
    for (let i = 0; i < text.length; i++) bytes.setUint8(i, text.charCodeAt(i));
    return Float64Array.from({ length: text.length / 8 }, (_, i) => bytes.getFloat64(8 * i, true));
  }

  /** The value of a column, whatever its name: `values` is a Map or any object. */
  function read(values, name) {
    if (values instanceof Map) return values.get(name);
    return Object.prototype.hasOwnProperty.call(values, name) ? values[name] : undefined;
  }

  const isMissing = (v) => v === null || v === undefined || v !== v;

  // ---- columns of the user's table to inputs of the model ----

  const LARGEST = 1e70;

  function asNumber(value, name) {
    if (isMissing(value)) return NaN;
    if (typeof value === "boolean") return Number(value);
    if (typeof value !== "number") throw new TypeError(`Column ${JSON.stringify(name)} needs a number.`);
    if (Math.abs(value) > LARGEST) throw new RangeError(`Column ${JSON.stringify(name)}: the number is too large.`);
    return value;
  }

  /** The label of a level, as Python writes it: 3 and 3.0 are "3", true is "1". */
  function asLabel(value) {
    if (typeof value === "string") return value;
    const number = Number(value);
    if (Number.isInteger(number)) return BigInt(number).toString();
    if (Math.abs(number) >= 1e-4) return String(number);
    return number.toExponential().replace(/e-(\d)$/, "e-0$1");
  }

  const STEPS = new Map([
    ["subtract", (x, a) => x - a],
    ["add", (x, a) => x + a],
    ["divide", (x, a) => x / a],
    ["multiply", (x, a) => x * a],
    ["clip", (x, a) => (x < a[0] ? a[0] : x > a[1] ? a[1] : x)],
  ]);

  /** From the value of a column to what the model takes: a number, the code of a level (-1 unseen), NaN if missing. */
  function encoder(input, name) {
    const codes = new Map(input.levels.map((level, k) => [level, k]));
    return (value) => {
      let x = value;
      for (const [step, argument] of input.steps) {
        if (step === "impute") x = isMissing(x) ? argument : x;
        else x = STEPS.get(step)(asNumber(x, name), argument);
      }
      if (input.kind !== "category") return asNumber(x, name);
      if (isMissing(x)) return NaN;
      const label = asLabel(x);
      return codes.has(label) ? codes.get(label) : -1;
    };
  }

  /** Whether training did not show such a value. */
  function isNew(input, x) {
    if (x !== x) return input.complete;
    if (input.kind === "category") return x === -1;
    return input.low === null || x < input.low || x > input.high;
  }

  // ---- curves ----

  /** Piecewise polynomials of one number: x -> array of their values. */
  function pieces(data) {
    const [breaks, origins, table, missing] = [data.breaks, data.origins, data.table, data.missing].map(unpack);
    const [, powers, width] = data.table.shape;
    return (x) => {
      if (x !== x) return missing;
      const z = (x - data.low) / data.width;
      let below = 0;
      for (let end = breaks.length; below < end; ) {
        const middle = (below + end) >> 1;
        if (breaks[middle] <= z) below = middle + 1;
        else end = middle;
      }
      const u = z - origins[below];
      const out = new Float64Array(width);
      for (let d = powers - 1; d >= 0; d--) {
        const row = (below * powers + d) * width;
        for (let k = 0; k < width; k++) out[k] = out[k] * u + table[row + k];
      }
      return out;
    };
  }

  /** An additive model: what each input adds, and the standard error of a single output. */
  function curvesModel(data) {
    const curves = data.curves.map(pieces);
    const columns = data.columns && data.columns.map(pieces);
    const covariance = data.covariance && unpack(data.covariance);

    function standardError(inputs) {
      const row = [1];
      let variance = 0;
      inputs.forEach((x, j) => {
        // A level that training did not have: no column is anything but 0.
        const own = columns[j](x);
        for (const v of own) row.push(x === -1 && data.unseen[j] ? 0 : v);
        if (x === -1) variance += data.unseen[j];
      });
      let k = 0;
      for (let a = 0; a < row.length; a++) {
        let sum = covariance[k++] * row[a];
        for (let b = a + 1; b < row.length; b++) sum += 2 * covariance[k++] * row[b];
        variance += row[a] * sum;
      }
      return Math.sqrt(Math.max(variance, 0));
    }

    return {
      base: data.base,
      contributions: (inputs) => inputs.map((x, j) => Array.from(curves[j](x))),
      standardError: covariance ? standardError : null,
    };
  }

  // ---- from the linear predictor to the response ----

  function sigmoid(eta) {
    if (eta >= 0) return 1 / (1 + Math.exp(-eta));
    const e = Math.exp(eta);
    return e / (1 + e);
  }

  const INVERSE_LINKS = new Map([
    ["identity", (eta) => [...eta]],
    ["log", (eta) => eta.map((e) => Math.exp(Math.min(e, 700)))],
    ["logit", (eta) => [1 - sigmoid(eta[0]), sigmoid(eta[0])]],
    ["softmax", (eta) => {
      const top = Math.max(...eta);
      const e = eta.map((v) => Math.exp(v - top));
      const sum = e.reduce((a, b) => a + b);
      return e.map((v) => v / sum);
    }],
    ["sorted", (eta) => [...eta].sort((a, b) => a - b)],
  ]);

  /** Labels or interval of a conformal prediction; a quantile of null puts no limit. */
  function conformalOf(rule, response, classes) {
    if (!rule) return null;
    if (rule.kind === "absolute") {
      const q = rule.quantile;
      return { interval: q === null ? [null, null] : [response[0] - q, response[0] + q] };
    }
    const allowed = (p, k) => {
      const q = Array.isArray(rule.quantile) ? rule.quantile[k] : rule.quantile;
      return q === null || p >= 1 - q;
    };
    const set = classes.filter((_, k) => allowed(response[k], k));
    return { set: set.length ? set : [classes[response.indexOf(Math.max(...response))]] };
  }

  const KINDS = new Map([["curves", curvesModel]]);

  /**
   * @param payload what kan_tabular.report.payload.model_payload gave
   * @returns {{features: object[], evaluate: function(object|Map): object}}
   */
  return function KanModel(payload) {
    const { features, inputs, link } = payload;
    const model = KINDS.get(payload.model.kind)(payload.model);
    const encoders = inputs.map((input) => encoder(input, features[input.feature].name));
    const inverse = INVERSE_LINKS.get(link);

    /**
     * @param values by column of the original table: a number, the text of a level, or null (missing); an object or a
     *     Map (which also holds a column called __proto__)
     */
    function evaluate(values) {
      const encoded = inputs.map((input, j) => encoders[j](read(values, features[input.feature].name)));
      const added = model.contributions(encoded);
      const eta = model.base.map((b, k) => b + added.reduce((sum, own) => sum + own[k], 0));
      const response = inverse(eta);
      let low = null;
      let high = null;
      if (payload.interval && model.standardError) {
        const reach = payload.interval.z * model.standardError(encoded);
        const ends = [inverse([eta[0] - reach]), inverse([eta[0] + reach])];
        low = ends[0].map((v, k) => Math.min(v, ends[1][k]));
        high = ends[0].map((v, k) => Math.max(v, ends[1][k]));
      }
      const contributions = features.map((f) => ({ feature: f.name, values: model.base.map(() => 0) }));
      inputs.forEach((input, j) => {
        const own = contributions[input.feature].values;
        added[j].forEach((v, k) => { own[k] += v; });
      });
      const unseen = new Set(inputs.filter((input, j) => isNew(input, encoded[j])).map((input) => input.feature));
      return {
        eta,
        response,
        low,
        high,
        contributions,
        base: [...model.base],
        extrapolates: features.filter((_, k) => unseen.has(k)).map((f) => f.name),
        conformal: conformalOf(payload.conformal, response, payload.classes),
      };
    }

    return { features, evaluate };
  };
})();
