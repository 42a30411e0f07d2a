"""Renders templates into one page that loads nothing from anywhere and escapes whatever comes from data."""

import base64
import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import jinja2
from markupsafe import Markup

from lipfd_jax.pages import formats

_PACKAGE = "lipfd_jax.pages"


@dataclass(frozen=True)
class Section:
    """A heading and its content; plain text in `body` is escaped and set as it stands, Markup is HTML."""

    title: str
    body: Markup | str


def render(package: str, template: str, **context: object) -> Markup:
    """A template of a package, or else of this one, filled in; whatever is no Markup is escaped.

    Args:
      package: dotted name of the package whose folder `templates` is looked in first.
      template: file name in it; `base.html` and the macros can be extended and imported from any.

    Raises:
      jinja2.TemplateError: no such template, or a value it needs is missing.
    """
    return Markup(environment(package).get_template(template).render(**context))


def render_page(
    package: str, template: str, *, scripts: Sequence[str] = (), allow: Sequence[str] = (), **context: object
) -> str:
    """A whole page from a template that extends `base.html`.

    Args:
      scripts: files of `templates` that the page runs, after `charts.js`, which it always has.
      allow: more directives for its policy, such as "media-src 'self'" for a video that lies beside it.
      context: what the template needs; `title` always.
    """
    return str(
        render(
            package,
            template,
            policy=policy(package, scripts, allow),
            style=Markup(source(package, "style.css")),
            scripts=[Markup(text) for text in _loaded(package, scripts)],
            **context,
        )
    )


@functools.cache
def environment(package: str = _PACKAGE) -> jinja2.Environment:
    """Templates of a package and of this one, escaping everything, with the filters of `formats`."""
    names = dict.fromkeys((package, _PACKAGE))
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name) for name in names]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(formats.FILTERS)
    return made


def source(package: str, name: str) -> str:
    """The text of a template, a style sheet or a script, as it stands. Raises jinja2.TemplateNotFound."""
    made = environment(package)
    return made.loader.get_source(made, name)[0]


def policy(package: str, scripts: Sequence[str] = (), allow: Sequence[str] = ()) -> str:
    """The policy of a page: its own styles and pictures, and the scripts of exactly this text.

    Should a name ever slip through unescaped, nothing it brings along can run or load anything.
    """
    texts = _loaded(package, scripts)
    sums = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    allowed = " ".join(f"'sha256-{value}'" for value in sums)
    parts = ("default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", f"script-src {allowed}")
    return "; ".join([*parts, *allow])


def _loaded(package: str, scripts: Sequence[str]) -> list[str]:
    return [source(package, name) for name in ("charts.js", *scripts)]
