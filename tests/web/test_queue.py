from __future__ import annotations

import random
import threading

import pytest

from rimkit.web.queue import FairQueue, Full
from rimkit.web.shelf import Shelf


def queue(most: int = 100, most_each: int = 100) -> FairQueue[str]:
    return FairQueue(most=most, most_each=most_each)


def drain(line: FairQueue[str]) -> list[str]:
    taken = []
    while (item := line.take(timeout=0)) is not None:
        taken.append(item)
    return taken


def test_visitors_take_turns() -> None:
    line = queue()
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        line.put(item[0], item)
    assert drain(line) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_late_visitor_waits_for_one_round_only() -> None:
    line = queue()
    for number in range(50):
        line.put("many", f"m{number}")
    line.put("one", "o")
    assert line.ahead("o") == 1
    assert drain(line)[:3] == ["m0", "o", "m1"]


@pytest.mark.parametrize("seed", range(20))
def test_how_many_are_ahead_is_how_many_come_first(seed: int) -> None:
    choose = random.Random(seed)  # noqa: S311
    line = queue()
    items = [f"{choose.choice('abcd')}{number}" for number in range(choose.randint(1, 15))]
    for item in items:
        line.put(item[0], item)
    for item in choose.sample(items, k=min(3, len(items) - 1)):
        assert line.remove(item)
        items.remove(item)
    expected = {item: line.ahead(item) for item in items}
    order = drain(line)
    assert {item: order.index(item) for item in items} == expected
    assert line.ahead(items[0]) is None


def test_places_are_limited_for_all_and_for_each() -> None:
    line = queue(most=3, most_each=2)
    line.put("a", "a1")
    line.put("a", "a2")
    with pytest.raises(Full, match="2 of your"):
        line.put("a", "a3")
    line.put("b", "b1")
    with pytest.raises(Full, match="3 inferences"):
        line.put("c", "c1")
    assert not line.remove("c1")
    assert drain(line) == ["a1", "b1", "a2"]


def test_who_takes_is_woken_by_who_puts() -> None:
    line = queue()
    taken: list[str | None] = []
    thread = threading.Thread(target=lambda: taken.append(line.take(timeout=20)))
    thread.start()
    line.put("a", "a1")
    thread.join(10)
    assert taken == ["a1"]


def test_a_shelf_drops_what_was_not_asked_for_the_longest() -> None:
    dropped: list[str] = []
    shelf: Shelf[str] = Shelf(10, on_drop=dropped.append)
    for name in ("a", "b", "c"):
        shelf.put(name, name.upper(), 4 if name == "c" else 3)
    assert shelf.get("a") == "A"
    shelf.put("d", "D", 2)
    assert dropped == ["B"]
    assert [shelf.get(name) for name in "abcd"] == ["A", None, "C", "D"]
    shelf.put("e", "E", 50)  # the last one stays, however large
    assert shelf.size == 50
    assert shelf.get("e") == "E"
