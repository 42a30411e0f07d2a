"""Draws the README's pictures from the folder of a demo: python docs/pictures/draw.py --demo=demo."""

import argparse
import pathlib
import shutil
import subprocess
import tempfile

from PIL import Image

from lipfd_jax.data import records
from lipfd_jax.data.sources import open_source

HERE = pathlib.Path(__file__).parent
WIDTH, HEIGHT = 1000, 1500  # of the browser's window, in pixels: down to the suspicious stretch


def draw_composite(demo: pathlib.Path, output: pathlib.Path) -> None:
    """Writes the first composite of the demo's test records at two fifths of its size, as JPEG."""
    source = open_source(str(demo / "data"), split="test")
    composite = Image.fromarray(records.decode_record(source[0])["composite"])
    composite.resize((WIDTH, WIDTH * composite.height // composite.width)).save(output, quality=80)


def draw_report(demo: pathlib.Path, output: pathlib.Path, browser: str) -> None:
    """Writes the top of the demo's detection report as a browser shows it, in 64 colours, as PNG.

    The page is copied away from the video: without it the page hides the player, which would be black.
    """
    report = next((demo / "detected").rglob("report.html"))
    with tempfile.TemporaryDirectory() as folder:
        page, shot = pathlib.Path(folder) / "report.html", pathlib.Path(folder) / "shot.png"
        shutil.copy(report, page)
        size = f"--window-size={WIDTH},{HEIGHT}"
        flags = ["--headless", "--no-sandbox", "--hide-scrollbars", size, f"--screenshot={shot}"]
        subprocess.run([browser, *flags, page.as_uri()], check=True, capture_output=True)
        Image.open(shot).convert("RGB").quantize(64).save(output, optimize=True)


def main() -> None:
    """Parses the flags and draws both pictures beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=pathlib.Path, default="demo", help="folder of a finished `lipfd demo`")
    parser.add_argument("--browser", default="chromium", help="Chromium or Chrome")
    given = parser.parse_args()
    if shutil.which(given.browser) is None:
        parser.error(f"--browser={given.browser}: not found; install Chromium or name another browser")
    draw_composite(given.demo, HERE / "composite.jpg")
    draw_report(given.demo, HERE / "report.png", given.browser)


if __name__ == "__main__":
    main()
