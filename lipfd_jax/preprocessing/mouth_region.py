"""Mouth region of a face crop framed as AVLips' crops are."""

ROWS, COLUMNS = (0.42, 0.70), (0.27, 0.73)  # shares of the crop's height and width


def locate_mouth(height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns, in pixels, that show the mouth in a crop of this size."""
    rows, columns = (
        slice(round(low * size), round(high * size))
        for (low, high), size in ((ROWS, height), (COLUMNS, width))
    )
    return rows, columns
