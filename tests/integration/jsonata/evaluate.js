// Parses and evaluates expressions in the reference implementation, with what Step Functions changes in it:
// its own functions beside JSONata's, and no $eval (engines.py says where AWS documents it).
// Standard input: {"parse": [expression, ...]} or {"evaluate": [[expression, variables], ...]}.
// Standard output: syntax trees, or outcomes: ["value", it], ["missing", null] or ["error", its code].
const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");
const jsonata = require("jsonata");

// $random and $uuid are not among them: what they return cannot be compared.
const ADDED = {
  partition: (array, size) =>
    Array.from({ length: Math.ceil(array.length / size) }, (_, i) => array.slice(i * size, (i + 1) * size)),
  range: (start, end, step) =>
    Array.from({ length: Math.max(0, Math.floor((end - start) / step) + 1) }, (_, i) => start + i * step),
  hash: (text, algorithm) => createHash(algorithm.replace("-", "").toLowerCase()).update(text).digest("hex"),
  parse: (text) => JSON.parse(typeof text === "string" ? text : undefined),
};

async function evaluated([text, variables]) {
  try {
    const expression = jsonata(text);
    for (const [name, implementation] of Object.entries(ADDED)) expression.registerFunction(name, implementation);
    const value = await expression.evaluate(undefined, { ...variables, eval: undefined });
    return value === undefined ? ["missing", null] : ["value", value];
  } catch (error) {
    return ["error", error.code ?? ""];
  }
}

async function main() {
  const { parse = [], evaluate = [] } = JSON.parse(readFileSync(0, "utf8"));
  const outcomes = [];
  for (const one of evaluate) outcomes.push(await evaluated(one));
  process.stdout.write(JSON.stringify([...parse.map((text) => jsonata(text).ast()), ...outcomes]));
}

main();
