"""Makes the next item in a thread while the caller works on one."""

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")


def read_ahead(items: Iterable[_Item]) -> Generator[_Item, None, None]:
    """Yields the items in order; a thread makes the next one while the caller works on one.

    What making an item raises is raised here in its place. Close the generator before what the items are
    made of is closed: closing waits for the thread.
    """
    source = iter(items)

    def take_next() -> list[_Item]:  # none at the end
        return list(islice(source, 1))

    with ThreadPoolExecutor(1, "read ahead") as thread:
        coming = thread.submit(take_next)
        while item := coming.result():
            coming = thread.submit(take_next)
            yield from item
