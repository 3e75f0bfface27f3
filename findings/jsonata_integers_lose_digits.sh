#!/usr/bin/env bash
# JSONata 2.0.6, which AWS Step Functions evaluates, turns an integer into text with 15 digits: `$string` and `&`
# round the rest away and say nothing, inside JSON too. A time in microseconds has 16. The largest double becomes null.
# 2.2.2 keeps all digits, so the same expression gives another text there.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_npm jsonata@2.0.6 newest@npm:jsonata@2.2.2

"$node" - <<'JS'
const assert = require("assert");
const expressions = {
  "1796999422000123": 1796999422000123,
  "$string(1796999422000123)": "1796999422000120",
  "'part-' & 1796999422000123": "part-1796999422000120",
  '$string({"micros": 1796999422000123})': '{"micros":1796999422000120}',
  "$string(9007199254740991)": "9007199254740990",
  "$number($string(9007199254740991)) = 9007199254740991": false,
  "$formatNumber(1796999422000123, '0')": "1796999422000123",
  "$formatBase(1796999422000123)": "1796999422000123",
  "$string(1.7976931348623157e308)": "null",
};
(async () => {
  for (const [name, changed] of [["jsonata", true], ["newest", false]]) {
    const jsonata = require(name);
    console.log(`jsonata ${require(name + "/package.json").version}`);
    for (const [expression, seen] of Object.entries(expressions)) {
      const value = await jsonata(expression).evaluate({});
      console.log(`  ${expression} -> ${JSON.stringify(value)}`);
      if (changed) assert.deepStrictEqual(value, seen, expression);
    }
  }
  const newest = require("newest");
  assert.equal(await newest("$string(1796999422000123)").evaluate({}), "1796999422000123");
  assert.equal(await newest("$string(1.7976931348623157e308)").evaluate({}), "1.7976931348623157e+308");
})();
JS
