"""A real browser for tests of pages: the system's Chromium or Chrome, else playwright's own."""

import contextlib
import pathlib
import shutil
from collections.abc import Iterator

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextlib.contextmanager
def open_browser() -> Iterator:
    """Starts a browser; skips the test, and says why, where playwright or a browser is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as runner:
        found = next(filter(None, map(shutil.which, _NAMES)), runner.chromium.executable_path)
        if not pathlib.Path(found).exists():
            pytest.skip("no Chromium or Chrome: install one, or run `playwright install chromium`")
        browser = runner.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
