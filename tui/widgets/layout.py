"""Where panes go: a pure function of the room, so that the same room gives the same places."""

from dataclasses import dataclass

LIST_COLUMNS = 60
"""Below this the board is a list."""
MIN_PANE_COLUMNS = 58
MAX_VISIBLE = 12
"""More panes than this scroll."""
MIN_PANE_ROWS = 3
GUEST_ROWS = 6
"""Of a pane of a build that is not ours, with the blank one below it."""
_USEFUL_COLUMNS = 100
_USEFUL_ROWS = 20
"""More room than this adds little to a pane."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The room of one pane on the canvas, in cells."""

    x: int
    y: int
    width: int
    height: int
    """Includes the blank row below, where there is one."""


@dataclass(frozen=True, slots=True)
class Places:
    """All slots, in the order of the panes."""

    slots: tuple[Slot, ...]
    columns: int
    height: int
    """Of the canvas; more than the room when panes scroll."""
    is_list: bool


def arrange(width: int, height: int, panes: int, layout: str = "fit") -> Places:
    """Places for a number of panes in a room, in reading order. `layout`: `fit`, `list`, or how many columns (fewer
    where the room is too narrow for them)."""
    if not panes:
        return Places((), 1, 0, is_list=False)
    if layout == "list" or width < LIST_COLUMNS or height < MIN_PANE_ROWS:
        return _list(width, height, panes)
    columns = _columns(width, height, panes) if layout == "fit" else _wanted(int(layout), width, panes)
    rows = -(-panes // columns)
    visible_rows = min(rows, max(1, height // MIN_PANE_ROWS), max(1, MAX_VISIBLE // columns))
    edges = [height * i // visible_rows for i in range(visible_rows + 1)]
    if rows > visible_rows:
        each = height // visible_rows
        edges = [each * i for i in range(rows + 1)]
    cells = [width * i // columns for i in range(columns + 1)]
    slots = tuple(
        Slot(cells[i % columns], edges[i // columns], cells[i % columns + 1] - cells[i % columns],
             edges[i // columns + 1] - edges[i // columns])
        for i in range(panes)
    )  # fmt: skip
    return Places(slots, columns, edges[-1], is_list=False)


def with_guests(places: Places, width: int, guests: int) -> Places:
    """The same places and after them some for builds that are not ours: in cells that are free, else below all others,
    so that these come and go and no other pane moves."""
    if not guests:
        return places
    if places.is_list or width < LIST_COLUMNS:
        each = places.slots[0].height if places.slots else 2
        below = tuple(Slot(0, places.height + i * each, width, each) for i in range(guests))
        return Places((*places.slots, *below), 1, places.height + guests * each, is_list=True)
    columns = places.columns if places.slots else max(1, min(guests, width // MIN_PANE_COLUMNS))
    free = _free_cells(places, width)[:guests]
    cells = [width * i // columns for i in range(columns + 1)]
    below = tuple(
        Slot(cells[i % columns], places.height + i // columns * GUEST_ROWS, cells[i % columns + 1] - cells[i % columns],
             GUEST_ROWS)
        for i in range(guests - len(free))
    )  # fmt: skip
    height = max([places.height, *(slot.y + slot.height for slot in below)])
    return Places((*places.slots, *free, *below), columns, height, is_list=False)


def _free_cells(places: Places, width: int) -> tuple[Slot, ...]:
    """Room beside the last panes, in reading order."""
    if not places.slots or len(places.slots) % places.columns == 0:
        return ()
    last = places.slots[-1]
    cells = [width * i // places.columns for i in range(places.columns + 1)]
    return tuple(
        Slot(cells[i], last.y + row * GUEST_ROWS, cells[i + 1] - cells[i], GUEST_ROWS)
        for i in range(len(places.slots) % places.columns, places.columns)
        for row in range(last.height // GUEST_ROWS)
    )


def _wanted(columns: int, width: int, panes: int) -> int:
    """The columns that were asked for, as far as panes and room go."""
    return max(1, min(columns, panes, width // MIN_PANE_COLUMNS))


def _columns(width: int, height: int, panes: int) -> int:
    """How many columns give a pane the most room that it can use; few rather than many."""
    best, best_room = 1, 0
    for columns in range(1, min(panes, width // MIN_PANE_COLUMNS) + 1):
        rows = min(-(-panes // columns), max(1, MAX_VISIBLE // columns))
        room = min(width // columns, _USEFUL_COLUMNS) * min(max(height // rows, MIN_PANE_ROWS), _USEFUL_ROWS)
        if room > best_room:
            best, best_room = columns, room
    return best


def _list(width: int, height: int, panes: int) -> Places:
    """One entry below the other: two rows each where there is room, else one."""
    each = 2 if panes * 2 <= height else 1
    slots = tuple(Slot(0, i * each, width, each) for i in range(panes))
    return Places(slots, 1, panes * each, is_list=True)
