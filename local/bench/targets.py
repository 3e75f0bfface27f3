"""What was aimed at, beside what was measured. A target that was missed says so."""

from dataclasses import dataclass

from local.bench.result import Result

MB = 1e6


@dataclass(frozen=True)
class Target:
    """One target.

    Args:
        name: what is compared.
        aim: the bound, in words.
        measured: the figure, in words.
        met: whether the figure is within the bound.
    """

    name: str
    aim: str
    measured: str
    met: bool


def judge(result: Result) -> list[Target]:
    """Return the targets whose figures this result holds."""
    return [
        *_speed(result),
        *_memory(result),
        *_slots(result),
        *_parquet(result),
        *_window(result),
        *_questions(result),
        *_functions(result),
        *_restore(result),
    ]


def _speed(result: Result) -> list[Target]:
    contest = {each["key"]: each for each in result["contest"]}
    engine, dump = contest.get("engine"), contest.get("pg_dump-j2")
    if not engine or not dump:
        return []
    start = result["spark_start_seconds"]["median"]
    whole, reference = engine["wall_seconds"]["median"], dump["wall_seconds"]["median"]
    targets = [
        _at_most("wall time over pg_dump -j2, net of Spark's start", 1.15, (whole - start) / reference),
        _at_most("wall time over pg_dump -j2, Spark's start included", 1.6, whole / reference),
        _cores(engine),
    ]
    original = contest.get("original")
    if original:
        theirs = (original["wall_seconds"]["median"] - original["start_seconds"]) / original["rows"]
        ours = (whole - start) / engine["rows"]
        name = "rows a second over the original's way, both net of Spark's start"
        targets.insert(0, _at_least(name, 50, theirs / ours))
    return targets


def _cores(engine: Result) -> Target:
    cores = sum(engine["cpu_seconds"].values()) / engine["wall_seconds"]["median"]
    return Target("cores busy while everything is exported", "at least 1.85", f"{cores:.2f}", cores >= 1.85)


def _memory(result: Result) -> list[Target]:
    sizes = sorted(result["memory"], key=lambda each: each["rows"])
    if not sizes:
        return []
    peaks = [each["peak_bytes"]["python"] / MB for each in sizes]
    targets = [
        Target("peak memory of driver and workers (Python)", "under 400 MB", f"{max(peaks):.0f} MB", max(peaks) < 400)
    ]
    if len(sizes) > 1:
        first, last = sizes[0], sizes[-1]
        name = f"the same at {last['rows'] / 1e6:g} over {first['rows'] / 1e6:g} million rows"
        targets.append(_at_most(name, 1.15, peaks[-1] / peaks[0]))
    return targets


def _slots(result: Result) -> list[Target]:
    by_slots = {each["slots"]: each["wall_seconds"]["median"] for each in result["slots"]}
    if not by_slots:
        return []
    start = result["spark_start_seconds"]["median"]
    return [
        _at_least(
            "one table on 2 slots over 1 slot, net of Spark's start", 1.7, (by_slots[1] - start) / (by_slots[2] - start)
        )
    ]


def _parquet(result: Result) -> list[Target]:
    """Return what Parquet may cost more than CSV alone, at most rows, and whether memory grows with them."""
    if not result["parquet"]:
        return []
    alone, both, _, smaller = result["parquet"]
    start = result["spark_start_seconds"]["median"]
    walls = [each["wall_seconds"]["median"] - start for each in (both, alone)]
    peaks = [each["peak_bytes"]["python"] / MB for each in (both, smaller)]
    over = "with Parquet over CSV alone"
    return [
        _at_most(
            f"CPU s of Python and PostgreSQL, {over}", 1.7, _python_and_postgres(both) / _python_and_postgres(alone)
        ),
        _at_most(f"wall time {over}, net of Spark's start", 1.5, walls[0] / walls[1]),
        _at_most(f"PostgreSQL CPU s {over}", 1.1, both["cpu_seconds"]["postgres"] / alone["cpu_seconds"]["postgres"]),
        Target("peak memory of driver and workers with Parquet", "under 600 MB", f"{peaks[0]:.0f} MB", peaks[0] < 600),
        _at_most(
            f"the same at {both['rows'] / 1e6:g} over {smaller['rows'] / 1e6:g} million rows", 1.15, peaks[0] / peaks[1]
        ),
    ]


def _python_and_postgres(each: Result) -> float:
    spent: float = each["cpu_seconds"]["python"] + each["cpu_seconds"]["postgres"]
    return spent


def _window(result: Result) -> list[Target]:
    rows = {
        kind: sorted(
            (each for each in result["window"] if each["kind"] == kind), key=lambda each: each["database_rows"]
        )
        for kind in ("same", "days")
    }
    same, days = _by_contestant(rows["same"]), _by_contestant(rows["days"])
    older = [name for name in same if name.startswith("engine-")]
    return [
        *_growth(same.get("engine", [])),
        *(each for name in older for each in _against(same, name, "the same window", 15)),
        *(each for name in older for each in _against(days, name, "30 days", 8)),
        *(_faster(days, name) for name in older if days),
        *_over_psql(same, "the same window"),
        *_over_psql(days, "30 days"),
    ]


def _growth(sizes: list[Result]) -> list[Target]:
    """Return what may grow with the database, the smallest of which comes first, and what may not."""
    if not sizes:
        return []
    first, last = sizes[0], sizes[-1]
    found = f"at {last['database_rows'] / 1e6:g} million rows, finding what is in the window"
    look = last["statement_seconds"]["look"]
    targets = [Target(f"PostgreSQL CPU s {found}", "at most 1.5 s", f"{look:.2f} s", look <= 1.5)]
    if len(sizes) > 1:
        over = f"at {last['database_rows'] / 1e6:g} over {first['database_rows'] / 1e6:g} million rows, the same window"
        rest = [each["cpu_seconds"]["postgres"] - each["statement_seconds"]["look"] for each in (first, last)]
        targets += [
            _at_most(f"PostgreSQL CPU s {over}, without finding it", 1.5, rest[1] / rest[0]),
            _at_most(f"wall time {over}, net of Spark's start", 1.5, _net(last) / _net(first)),
        ]
    return targets


def _against(rows: dict[str, list[Result]], older: str, window: str, bound: float) -> list[Target]:
    if not rows:
        return []
    theirs, ours = rows[older][-1], rows["engine"][-1]
    name = f"PostgreSQL CPU s of {theirs['label']} over this engine's, {window} of {_millions(ours)}"
    return [_at_least(name, bound, theirs["cpu_seconds"]["postgres"] / ours["cpu_seconds"]["postgres"])]


def _faster(rows: dict[str, list[Result]], older: str) -> Target:
    theirs, ours = rows[older][-1], rows["engine"][-1]
    name = f"wall time of {theirs['label']} over this engine's, 30 days of {_millions(ours)}, net of Spark's start"
    return _at_least(name, 3, _net(theirs) / _net(ours))


def _over_psql(rows: dict[str, list[Result]], window: str) -> list[Target]:
    if not {"engine", "psql"} <= rows.keys():
        return []
    ours, theirs = rows["engine"][-1], rows["psql"][-1]
    name = f"PostgreSQL CPU s over COPY by hand, {window} of {_millions(ours)}"
    return [_at_most(name, 1.2, ours["cpu_seconds"]["postgres"] / theirs["cpu_seconds"]["postgres"])]


def _by_contestant(rows: list[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for each in rows:
        found.setdefault(each["contestant"], []).append(each)
    return found


def _net(each: Result) -> float:
    net: float = each["wall_seconds"]["median"] - each["start_seconds"]
    return net


def _millions(each: Result) -> str:
    return f"{each['database_rows'] / 1e6:g} million rows"


def _questions(result: Result) -> list[Target]:
    shares = {each["question"]: each["query"] / each["postgresql"] for each in result["query"]}
    if not shares:
        return []
    slowest = max(shares, key=lambda name: shares[name])
    name = f"time of a question over Parquet over PostgreSQL's, the slowest of {len(shares)} ({slowest})"
    return [_at_most(name, 0.5, shares[slowest])]


def _functions(result: Result) -> list[Target]:
    rows = result["functions"]
    if not rows:
        return []
    slowest, largest = max(each["init_ms"] for each in rows), max(each["peak_bytes"] for each in rows) / MB
    return [
        Target("init of the slowest function", "under 600 ms", f"{slowest} ms", slowest < 600),
        Target("memory of the largest function after init", "under 256 MB", f"{largest:.0f} MB", largest < 256),
    ]


def _restore(result: Result) -> list[Target]:
    """Judge the largest database against pg_restore, and the memory over both."""
    rows = sorted(result["restore"], key=lambda each: each["rows"])
    ours = [each for each in rows if each["key"].startswith("create-")]
    theirs = [each for each in rows if each["key"].startswith("pg_restore-")]
    if not ours or not theirs:
        return []
    create, reference, peaks = ours[-1], theirs[-1], [each["peak_bytes"]["python"] / MB for each in ours]
    over = f"of restoring {create['rows'] / 1e6:g} million rows over pg_restore -j2"
    wall = create["wall_seconds"]["median"] / reference["wall_seconds"]["median"]
    server = create["cpu_seconds"]["postgres"] / reference["cpu_seconds"]["postgres"]
    return [
        _at_most(f"wall time {over}, its own start included", 0.85, wall),
        _at_most(f"PostgreSQL CPU s {over}", 0.85, server),
        Target("peak memory of a restore", "under 150 MB", f"{max(peaks):.0f} MB", max(peaks) < 150),
        _at_most(f"the same over that of {ours[0]['rows'] / 1e6:g} million rows", 1.15, peaks[-1] / peaks[0]),
    ]


def _at_most(name: str, bound: float, measured: float) -> Target:
    return Target(name, f"at most {bound:g} times", f"{measured:.2f} times", measured <= bound)


def _at_least(name: str, bound: float, measured: float) -> Target:
    return Target(name, f"at least {bound:g} times", f"{measured:.1f} times", measured >= bound)
