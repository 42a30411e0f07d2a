"""Names of slices."""

import pytest

from lipfd_jax.tools.planning.chips import CHIPS, format_topologies, parse_topology


@pytest.mark.parametrize(
    ("text", "chip", "chips"),
    [("v5e:16x16", "v5e", 256), (" v6e:2x4", "v6e", 8), ("v5p:4x4x8", "v5p", 128)],
)
def test_a_name_says_chip_and_size(text, chip, chips):
    found = parse_topology(text)
    assert (found.chip, found.chips, found.name) == (CHIPS[chip], chips, text.strip())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v9:2x2", "unknown chip 'v9'; use v5e, v6e, v5p"),
        ("v5e", "'' is no shape of v5e; expected one like v5e:16x16"),
        ("v5e:2x2x2", "'2x2x2' is no shape of v5e"),
        ("v5p:4x4", "'4x4' is no shape of v5p; expected one like v5p:8x8x8"),
        ("v5e:0x4", "'0x4' is no shape"),
        ("v5e:2x-2", "'2x-2' is no shape"),
    ],
)
def test_other_names_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_topology(text)


def test_every_usual_slice_can_be_named():
    for chip in CHIPS.values():
        for shape in chip.slices:
            name = f"{chip.name}:{shape}"
            assert parse_topology(name).name == name
            assert name in format_topologies()
