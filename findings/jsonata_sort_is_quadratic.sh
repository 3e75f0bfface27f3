#!/usr/bin/env bash
# `$sort` of JSONata 2.0.6 is a merge sort in its source, yet the time is quadratic: four times the items take far more than
# the 4.6 times of n log n. 40,000 numbers, which fit into the 256 KiB of a Step Functions state, take seconds.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_npm jsonata@2.0.6

"$node" - <<'JS'
const assert = require("assert");
const jsonata = require("jsonata");
const seconds = async (call) => {
  const start = process.cpuUsage();
  await call();
  return process.cpuUsage(start).user / 1e6;
};
const numbers = (n) => Array.from({ length: n }, (_, i) => (i * 7919) % 100003);
(async () => {
  const sort = jsonata("$sort($)");
  const least = {};
  for (const n of [1000, 10000, 10000, 40000]) {
    const input = numbers(n);
    const spent = await seconds(async () => {
      assert.deepEqual(Array.from(await sort.evaluate(input)), numbers(n).sort((a, b) => a - b));
    });
    least[n] = Math.min(spent, least[n] ?? Infinity);
  }
  const map = jsonata("$map($, function($x) { $x + 1 })");
  const mapped = await seconds(() => map.evaluate(numbers(40000)));
  const own = await seconds(() => numbers(40000).sort((a, b) => a - b));
  console.log(`jsonata ${require("jsonata/package.json").version}, CPU seconds`);
  for (const n of [10000, 40000]) console.log(`  $sort of ${n} numbers: ${least[n].toFixed(2)}`);
  console.log(`  $map of 40000: ${mapped.toFixed(2)}; Array.sort of 40000: ${own.toFixed(3)}`);
  const ratio = least[40000] / least[10000];
  console.log(`  four times the items: ${ratio.toFixed(1)} times the time`);
  assert.ok(ratio > 7, "no longer quadratic");
  assert.ok(least[40000] > 5 * mapped, "no longer slow");
})();
JS
