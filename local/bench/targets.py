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
    return [*_speed(result), *_memory(result), *_slots(result), *_functions(result)]


def _speed(result: Result) -> list[Target]:
    contest = {each["key"]: each for each in result["contest"]}
    engine, dump = contest.get("engine"), contest.get("pg_dump-j2")
    if not engine or not dump:
        return []
    start = result["spark_start_seconds"]["median"]
    whole, reference = engine["wall_seconds"]["median"], dump["wall_seconds"]["median"]
    targets = [
        _at_most("wall time over pg_dump -j2, net of Spark's start", 1.2, (whole - start) / reference),
        _at_most("wall time over pg_dump -j2, Spark's start included", 1.6, whole / reference),
    ]
    original = contest.get("original")
    if original:
        theirs = (original["wall_seconds"]["median"] - original["start_seconds"]) / original["rows"]
        ours = (whole - start) / engine["rows"]
        name = "rows a second over the original's way, both net of Spark's start"
        targets.insert(0, _at_least(name, 50, theirs / ours))
    return targets


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


def _functions(result: Result) -> list[Target]:
    rows = result["functions"]
    if not rows:
        return []
    slowest, largest = max(each["init_ms"] for each in rows), max(each["peak_bytes"] for each in rows) / MB
    return [
        Target("init of the slowest function", "under 600 ms", f"{slowest} ms", slowest < 600),
        Target("memory of the largest function after init", "under 256 MB", f"{largest:.0f} MB", largest < 256),
    ]


def _at_most(name: str, bound: float, measured: float) -> Target:
    return Target(name, f"at most {bound:g} times", f"{measured:.2f} times", measured <= bound)


def _at_least(name: str, bound: float, measured: float) -> Target:
    return Target(name, f"at least {bound:g} times", f"{measured:.1f} times", measured >= bound)
