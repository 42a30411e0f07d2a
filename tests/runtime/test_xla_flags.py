"""The XLA flag is appended, never over a user's and never where an XLA would abort; sums are then right."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lipfd_jax.runtime import xla_flags
from lipfd_jax.runtime.xla_flags import FLAG, NAME, set_flag


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, FLAG),
        ("", FLAG),
        ("--xla_dump_to=there", f"--xla_dump_to=there {FLAG}"),
        (f"--{NAME}=", f"--{NAME}="),
        ("flags.txt", "flags.txt"),
    ],
)
def test_appended_but_never_over_the_users_own(monkeypatch, tmp_path, before, after):
    library = tmp_path / "xla.so"
    library.write_bytes(b"..." + NAME.encode() + b"...")
    monkeypatch.setattr(xla_flags, "_libraries", lambda: [library])
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    if before is not None:
        monkeypatch.setenv("XLA_FLAGS", before)
    set_flag()
    assert os.environ["XLA_FLAGS"] == after


def test_not_where_one_xla_does_not_know_it(monkeypatch, tmp_path):
    libraries = tmp_path / "a.so", tmp_path / "b.so"
    libraries[0].write_bytes(NAME.encode())
    libraries[1].write_bytes(b"another XLA")
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    for found in (libraries, []):
        monkeypatch.setattr(xla_flags, "_libraries", lambda found=found: found)
        set_flag()
        assert "XLA_FLAGS" not in os.environ


def test_the_installed_jaxlib_is_looked_at():
    assert next(path.name for path in xla_flags._libraries()) == "libjax_common.so"


def test_a_sum_over_products_is_right():
    """Wrong by a factor of 1e14, or NaN, if XLA fuses the sum with the product."""
    a, x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 5, 60, 60)), jnp.float32)
    e = a @ a.transpose(0, 2, 1)

    def function(c):
        return jnp.sum((e @ jnp.broadcast_to(c, e.shape)) * x, (1, 2))

    np.testing.assert_allclose(jax.jit(function)(2.0), function(2.0), rtol=1e-3)
