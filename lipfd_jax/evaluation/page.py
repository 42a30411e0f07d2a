"""The HTML page a report is written on: sections, tables, one style sheet for light, dark, desk and phone."""

import html
import string
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A heading and its content. `body` is HTML: whoever makes it has escaped all text from data."""

    title: str
    body: str


def page(*, title: str, lead: str, sections: Sequence[Section]) -> str:
    """A whole page that loads nothing from anywhere; `lead` is HTML that stands under the title."""
    parts = [
        f"<section><h2>{html.escape(section.title)}</h2>\n{section.body}</section>" for section in sections
    ]
    return _PAGE.substitute(title=html.escape(title), lead=lead, style=_STYLE, sections="\n".join(parts))


def table_html(head: Sequence[str], rows: Sequence[Sequence[str]], *, kind: str = "") -> str:
    """A table of HTML cells, the first of each row its heading; `kind` is a class of the style sheet."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    start = f'<table class="{kind}" style="--columns:{len(head) - 1}">'
    return f'<div class="scroll">{start}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


# Should a name ever slip through unescaped, the policy still lets in nothing but this file's own styles and
# pictures.
_PAGE = string.Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
<header><h1>$title</h1>
$lead</header>
$sections
</main>
</body>
</html>
""")

_STYLE = """
:root { --paper: #fbfaf8; --card: #fff; --ink: #22252a; --soft: #5c626b; --line: #d9d6d0; --accent: #1f6f8b;
  --second: #8a5a9e; --real: #2166ac; --fake: #c2571a; --wrong: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181c; --card: #1f2227; --ink: #e6e4df; --soft: #a3a8b0; --line: #3b4048;
    --accent: #6bc0dc; --second: #c79bdb; --real: #74aee8; --fake: #f0965a; --wrong: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0 1rem; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { max-width: 46rem; margin: .5rem 0; }
p.lead { font-size: 1.1rem; }
.soft, small { color: var(--soft); }
small { font-size: .85rem; line-height: 1.4; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 1rem 0;
  font-size: .92rem; }
dt { color: var(--soft); } dd { margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .75rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .45rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: normal; }
th:first-child { text-align: left; padding-left: 0; font-weight: 600; overflow-wrap: anywhere; }
td:last-child, th:last-child { padding-right: 0; }
thead th { color: var(--soft); font-size: .85rem; font-weight: 600; vertical-align: bottom; }
table.figures th small { display: block; font-weight: 400; max-width: 36rem; }
table.figures td { white-space: nowrap; font-size: 1.1rem; }
table.figures td small { display: block; }
table.videos { font-size: .92rem; }
table.videos td, table.videos th { padding-top: .25rem; padding-bottom: .25rem; }
table.videos td:nth-child(3) { width: 38%; min-width: 7rem; vertical-align: middle; }
table.videos tbody th { font-weight: 400; }
table.weights { width: auto; font-size: .85rem; margin: .25rem 0 0; }
table.weights th, table.weights td { padding: .1rem .4rem; border: 0; overflow-wrap: normal; }
table.weights th:first-child { padding-left: 0; }
.real { color: var(--real); } .fake { color: var(--fake); } .wrong { color: var(--wrong); font-weight: 600; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1.5rem; }
figure { margin: 0 0 1.25rem; }
.plots figure, .picture { background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; padding: .75rem; }
.picture { max-width: 54rem; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { margin-top: .5rem; font-size: .92rem; }
.picture img { display: block; width: 100%; min-width: 34rem; height: auto; border-radius: .25rem; }
.strip { display: block; position: relative; height: .8rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .2rem; }
.strip::after, .strip i, .strip b { content: ""; position: absolute; top: -2px; bottom: -2px; }
.strip::after { left: 50%; border-left: 1px dashed var(--soft); }
.strip i { top: 35%; bottom: 35%; min-width: 2px; background: currentColor; opacity: .45; }
.strip b { width: 4px; margin-left: -2px; background: currentColor; }
pre { font-size: .85rem; line-height: 1.4; }
summary { cursor: pointer; color: var(--accent); padding: .5rem 0; }
@media (max-width: 34rem) {
  main { padding: .75rem .9rem 3rem; } h1 { font-size: 1.4rem; }
  dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; }
  th, td { padding: .4rem .3rem; }
  table.videos { font-size: .82rem; } table.videos th:first-child { min-width: 5.6rem; }
  table.videos td:nth-child(3) { width: 30%; min-width: 4.5rem; }
  table.figures tr { display: grid; grid-template-columns: 1fr repeat(var(--columns), 5.7rem); gap: 0 .5rem;
    padding: .5rem 0; border-bottom: 1px solid var(--line); }
  table.figures td small { font-size: .75rem; white-space: normal; }
  table.figures th, table.figures td { border: 0; padding: 0; font-size: 1rem; }
  table.figures tbody th { display: contents; }
  table.figures th small { grid-column: 1 / -1; order: 1; padding-top: .2rem; } }
@media print { details > * { display: block; } section { break-inside: avoid-page; } }
"""
