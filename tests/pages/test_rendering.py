"""Rendering: values escaped, missing ones an error, and a page that may run nothing but its own scripts."""

import jinja2
import numpy as np
import pytest

from lipfd_jax.pages.images import encode_data_uri, overlay_heat
from lipfd_jax.pages.rendering import render_page, render_template

PACKAGE = "lipfd_jax.pages"


def test_a_value_left_out_is_an_error_and_not_a_hole():
    with pytest.raises(jinja2.UndefinedError, match="policy"):
        render_template(PACKAGE, "base.html")


def test_title_is_escaped_and_more_can_be_allowed():
    page = render_page(PACKAGE, "base.html", title="<b>&", allow=("media-src 'self'",))
    assert "<b>" not in page
    assert "<title>&lt;b&gt;&amp;</title>" in page
    assert "; media-src &#39;self&#39;" in page


def test_pictures_become_data():
    uri = encode_data_uri(np.zeros((10, 2000, 3), np.uint8), width=100)
    assert uri.startswith("data:image/jpeg;base64,/9j/")
    with pytest.raises(ValueError, match=r"\(4, 4\) uint8"):
        encode_data_uri(np.zeros((4, 4), np.uint8))


def test_overlay_is_grey_where_nothing_and_coloured_where_all():
    image = np.full((20, 40, 3), 100, np.uint8)
    heat = np.zeros((2, 4))
    heat[:, 3] = 1
    laid = overlay_heat(image, heat)
    assert laid.shape == image.shape
    assert (laid[:, 0] == 80).all()
    red, green, blue = laid[10, 39].astype(int)
    assert red > 190 > 150 > blue
    assert green > 150
