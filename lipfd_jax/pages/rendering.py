"""Rendering of templates into self-contained pages that load nothing and escape all data."""

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
    """A heading and its content; plain text in `body` is escaped and preformatted, Markup is HTML."""

    title: str
    body: Markup | str


def render_template(package: str, template: str, **context: object) -> Markup:
    """Renders a template of a package, or of this one; values that are not Markup are escaped.

    Args:
      package: dotted name of the package whose folder `templates` is searched first.
      template: file name in it; `base.html` and the macros can be extended and imported from any.

    Raises:
      jinja2.TemplateError: no such template, or a value it needs is missing.
    """
    return Markup(load_environment(package).get_template(template).render(**context))


def render_page(
    package: str, template: str, *, scripts: Sequence[str] = (), allow: Sequence[str] = (), **context: object
) -> str:
    """Renders a whole page from a template that extends `base.html`.

    Args:
      scripts: files of `templates` that the page runs after `charts.js`, which every page has.
      allow: further directives of its content security policy, such as "media-src 'self'" for a video in
        the page's folder.
      context: values of the template; always `title`.
    """
    return str(
        render_template(
            package,
            template,
            policy=make_content_policy(package, scripts, allow),
            style=Markup(read_template(package, "style.css")),
            scripts=[Markup(text) for text in _read_scripts(package, scripts)],
            **context,
        )
    )


@functools.cache
def load_environment(package: str = _PACKAGE) -> jinja2.Environment:
    """Returns the templates of a package and of this one, with escaping and the filters of `formats`."""
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


def read_template(package: str, name: str) -> str:
    """Reads a template, a style sheet or a script without rendering it. Raises jinja2.TemplateNotFound."""
    made = load_environment(package)
    assert made.loader is not None
    return made.loader.get_source(made, name)[0]


def make_content_policy(package: str, scripts: Sequence[str] = (), allow: Sequence[str] = ()) -> str:
    """Content security policy of a page: inline styles, embedded images and scripts of exactly this text.

    If a name ever got through unescaped, it still could not run or load anything.
    """
    texts = _read_scripts(package, scripts)
    sums = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    allowed = " ".join(f"'sha256-{value}'" for value in sums)
    parts = ("default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", f"script-src {allowed}")
    return "; ".join([*parts, *allow])


def _read_scripts(package: str, scripts: Sequence[str]) -> list[str]:
    return [read_template(package, name) for name in ("charts.js", *scripts)]
