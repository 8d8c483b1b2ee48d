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

  /** A step of a pipeline: (its argument, the column's name) -> function of a value. */
  const STEPS = new Map([
    ["subtract", (a, name) => (x) => asNumber(x, name) - a],
    ["add", (a, name) => (x) => asNumber(x, name) + a],
    ["divide", (a, name) => (x) => asNumber(x, name) / a],
    ["multiply", (a, name) => (x) => asNumber(x, name) * a],
    ["clip", ([low, high], name) => (x) => {
      const number = asNumber(x, name);
      return number < low ? low : number > high ? high : number;
    }],
    ["impute", (a) => (x) => (isMissing(x) ? a : x)],
    ["is_missing", () => (x) => Number(isMissing(x))],
    ["known", (a, name) => (x) => {
      if (!isMissing(x)) return x;
      throw new TypeError(`Column ${JSON.stringify(name)}: ${a} would fill the gap from other columns; give a value.`);
    }],
    ["table", (a, name) => {
      const values = new Map(a.levels.map((level, k) => [level, a.values[k]]));
      return (x) => {
        const label = isMissing(x) ? null : asLabel(x);
        const value = label === null ? a.missing : values.has(label) ? values.get(label) : a.other;
        if (value === null) {
          const what = label === null ? "a missing value" : JSON.stringify(label);
          throw new TypeError(`Column ${JSON.stringify(name)}: the model refuses ${what}.`);
        }
        return value === "missing" ? NaN : value;
      };
    }],
  ]);

  /** From the value of a column to what the model takes: a number, the code of a level (-1 unseen), NaN if missing. */
  function encoder(input, name) {
    const codes = new Map(input.levels.map((level, k) => [level, k]));
    const steps = input.steps.map(([step, argument]) => STEPS.get(step)(argument, name));
    return (value) => {
      let x = value;
      for (const step of steps) x = step(x);
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

  /** Piecewise polynomials of one number: x -> array of their values (`out`, where given). */
  function pieces(data) {
    const [breaks, origins, table, missing] = [data.breaks, data.origins, data.table, data.missing].map(unpack);
    const [, powers, width] = data.table.shape;
    return (x, out = new Float64Array(width)) => {
      if (x !== x) return missing;
      const z = (x - data.low) / data.width;
      let below = 0;
      for (let end = breaks.length; below < end; ) {
        const middle = (below + end) >> 1;
        if (breaks[middle] <= z) below = middle + 1;
        else end = middle;
      }
      const u = z - origins[below];
      const row = below * powers * width;
      for (let k = 0; k < width; k++) {
        let value = 0;
        for (let at = row + (powers - 1) * width + k; at >= row; at -= width) value = value * u + table[at];
        out[k] = value;
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
        row.push(...columns[j](x));
        if (x === -1) variance += data.unseen[j]; // a level that training did not have; numbers have 0
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

  // ---- formulas ----

  const FUNCTIONS = new Map(
    ["abs", "acos", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp", "log", "sign", "sin", "sinh", "tan", "tanh"]
      .map((name) => [name, Math[name]]),
  );
  const CONSTANTS = new Map([["e", Math.E], ["pi", Math.PI], ["true", true], ["false", false]]);
  const COMBINATIONS = new Map([
    ["add", (values) => values.reduce((a, b) => a + b)],
    ["mul", (values) => values.reduce((a, b) => a * b)],
    ["max", (values) => Math.max(...values)],
    ["min", (values) => Math.min(...values)],
    ["pow", ([a, b]) => Math.pow(a, b)],
    ["ratio", ([a, b]) => a / b],
    ["and", (values) => values.every(Boolean)],
    ["or", (values) => values.some(Boolean)],
    ["not", ([a]) => !a],
    ["eq", ([a, b]) => a === b],
    ["ne", ([a, b]) => a !== b],
    ["lt", ([a, b]) => a < b],
    ["le", ([a, b]) => a <= b],
    ["gt", ([a, b]) => a > b],
    ["ge", ([a, b]) => a >= b],
  ]);

  /** A function of T from nested lists (kan_tabular.symbolic.expressions.to_data). */
  function compiled(data) {
    if (data === "T") return (t) => t;
    if (typeof data === "number") return () => data;
    if (typeof data === "string") {
      const constant = CONSTANTS.get(data);
      return () => constant;
    }
    const [head, ...rest] = data;
    if (head === "piecewise") {
      const branches = rest.map(([value, condition]) => [compiled(value), compiled(condition)]);
      return (t) => branches.find(([, holds]) => holds(t))[0](t);
    }
    const parts = rest.map(compiled);
    if (FUNCTIONS.has(head)) {
      const f = FUNCTIONS.get(head);
      return (t) => f(parts[0](t));
    }
    const combine = COMBINATIONS.get(head);
    return (t) => combine(parts.map((part) => part(t)));
  }

  /** What a term adds at an encoded input. */
  function termOf(term) {
    if (term.levels) return (x) => (x !== x ? term.missing : x < 0 ? term.other : term.levels[x]);
    const f = compiled(term.expression);
    const [low, high] = term.reach;
    return (x) => (x !== x ? term.missing : f(Math.min(Math.max(x, low), high)));
  }

  /** A formula of terms in columns; contributions are centred on the training data. */
  function formulaModel(data) {
    const outputs = data.outputs.map((terms) => terms.map((term) => [term.input, termOf(term)]));

    function contributions(inputs) {
      const out = data.means.map((own) => own.map((mean) => -mean));
      outputs.forEach((terms, k) => {
        for (const [j, term] of terms) out[j][k] += term(inputs[j]);
      });
      return out;
    }

    return { base: data.base, contributions, standardError: null };
  }

  // ---- networks with hidden layers ----

  /** What the members add to the fitted outputs, from the sums of the first layer of all members. */
  function headOf(data) {
    const functions = pieces(data.functions);
    const phi = new Float64Array(data.functions.table.shape[2]);
    const layers = data.layers.map((layer) => {
      const [, nFunctions, width, outputs] = layer.coefficients.shape;
      const { products } = layer;
      return { nFunctions, width, outputs, products, c: unpack(layer.coefficients), bias: unpack(layer.bias) };
    });
    const nSums = data.bias.shape[1];
    const nOutputs = data.to_user.length;

    /** Outputs of a layer of member m: every node's functions times their coefficients. */
    function step({ nFunctions, width, outputs, products, c, bias }, m, sums) {
      const out = bias.slice(m * outputs, (m + 1) * outputs);
      const plain = width - products;
      for (let w = 0; w < width; w++) {
        const h = w < plain ? sums[w] : sums[w] * sums[w + products];
        functions(h / Math.sqrt(h * h + 9), phi);
        for (let k = 0; k < nFunctions; k++) {
          const from = ((m * nFunctions + k) * width + w) * outputs;
          for (let o = 0; o < outputs; o++) out[o] += phi[k] * c[from + o];
        }
      }
      return out;
    }

    return (h) => {
      const total = new Float64Array(nOutputs);
      data.weights.forEach((weight, m) => {
        let sums = h.subarray(m * nSums, (m + 1) * nSums);
        for (const layer of layers) sums = step(layer, m, sums);
        for (let o = 0; o < nOutputs; o++) total[o] += weight * sums[o];
      });
      return total;
    };
  }

  /** A network: Shapley values, an absent feature having its curves of the first layer at their training means. */
  function networkModel(data) {
    const { front, orders, weights } = data;
    const additive = data.additive.map(pieces);
    const columns = data.columns.map(pieces);
    const first = unpack(data.first);
    const bias = unpack(data.bias);
    const head = headOf(data);
    const starts = columns.map((_, j) => data.columns.slice(0, j).reduce((sum, own) => sum + own.table.shape[2], 0));

    /** What an input adds to the sums of the first layer. */
    function sumsOf(x, j) {
      const out = new Float64Array(bias.length);
      columns[j](x).forEach((v, k) => {
        const row = (starts[j] + k) * bias.length;
        for (let h = 0; h < out.length; h++) out[h] += v * first[row + h];
      });
      return out;
    }

    function clipped(x, j) {
      const s = (x - front.center[j]) / front.spread[j];
      return front.spread[j] > 0 ? s / Math.sqrt(1 + (s / 3) ** 2) : x;
    }

    function contributions(inputs) {
      const seen = inputs.map(clipped);
      const value = seen.map((x, j) => Float64Array.from(additive[j](x)));
      const own = seen.map(sumsOf);
      for (const order of weights.length ? orders : []) {
        const h = bias.slice();
        let before = head(h);
        for (const j of order) {
          for (let k = 0; k < h.length; k++) h[k] += own[j][k];
          const after = head(h);
          for (let o = 0; o < after.length; o++) value[j][o] += (after[o] - before[o]) / orders.length;
          before = after;
        }
      }
      // From the fitted outputs to those that users see.
      return value.map((v) => data.base.map((_, k) => v.reduce((sum, e, o) => sum + e * data.to_user[o][k], 0)));
    }

    return { base: data.base, contributions, standardError: null };
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

  const KINDS = new Map([["curves", curvesModel], ["formula", formulaModel], ["network", networkModel]]);

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
