#!/usr/bin/env bash
# jsonata-python 0.7.1, a port of JSONata for Python, gives other values than JSONata for plain arithmetic and lists,
# without an error: the remainder of a division loses its fraction, one item that is left loses the list around it.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_npm jsonata@2.0.6
"$python" -m pip install --quiet --disable-pip-version-check jsonata-python==0.7.1

cat > "$folder/expressions.json" <<'JSON'
{"5.5 % 2": [1.5, 1],
 "$distinct([[1], [1]])": [[[1]], [1]],
 "[1, 2, 3][-1.5]": [2, 3],
 "$count(null)": [1, 0],
 "1 in [true]": [false, true],
 "$string(100000000000000000000)": ["100000000000000000000", "1e+20"]}
JSON
cd "$folder"
"$node" - > reference.json <<'JS'
const expressions = Object.keys(require("./expressions.json"));
Promise.all(expressions.map((e) => require("jsonata")(e).evaluate({}))).then((v) => console.log(JSON.stringify(v)));
JS
"$python" - <<'PY'
import json
from importlib.metadata import version

from jsonata import Jsonata

reference = json.load(open("reference.json"))
print("jsonata 2.0.6 | jsonata-python", version("jsonata-python"))
for (expression, (expected, seen)), value in zip(json.load(open("expressions.json")).items(), reference, strict=True):
    ported = Jsonata(expression).evaluate({})
    print(f"  {expression}: {json.dumps(value)} | {json.dumps(ported)}")
    assert value == expected, expression
    assert json.dumps(ported) == json.dumps(seen), expression
PY
