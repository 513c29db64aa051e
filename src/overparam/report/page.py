"""What every page is made of: templates, styles in two themes, and a policy that forbids requests.

A page is one file that loads nothing. Its content security policy forbids every request, and lets
only the scripts run that are written here, by their hashes: text from a study can do nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Sequence
from html import escape
from importlib import metadata, resources
from typing import Any

from overparam.cache import kept_text
from overparam.lab.plain_values import plain
from overparam.report.palette import DARK, LIGHT

_EXPOSED = "window.vegaEmbed = vegaEmbed;"  # what a page calls
_ARXIV = re.compile(r"\barXiv:\s?(\d{4}\.\d{4,5}(?:v\d+)?|[a-z-]+(?:\.[A-Z]{2})?/\d{7})\b", re.I)
_CODE = re.compile(r"(`{1,2})([^`]+)\1")


def render_template(template: str, **values: Any) -> str:
    """Return a template of this package with its values; what is no `Markup` is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(template_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    return environment.get_template(template).render(**values)


def prose(text: str) -> Any:
    """Return a text as markup: `code` set as code, arXiv numbers as links, all else escaped.

    >>> str(prose("see `a<b`, arXiv:1812.11118"))
    'see <code>a&lt;b</code>, <a href="https://arxiv.org/abs/1812.11118">arXiv:1812.11118</a>'
    """
    from markupsafe import Markup

    marked = _CODE.sub(r"<code>\2</code>", escape(str(text)))
    return Markup(_ARXIV.sub(r'<a href="https://arxiv.org/abs/\1">\g<0></a>', marked))


def page_style(names: Sequence[str]) -> str:
    """Return style sheets of this package as one text, with the colours of both themes."""
    css = "\n".join(map(template_text, names))
    for name, palette in (("LIGHT", LIGHT), ("DARK", DARK)):
        variables = " ".join(f"--{key}: {color};" for key, color in palette.items())
        css = css.replace("{{" + name + "}}", variables)
    return css


def page_script(names: Sequence[str]) -> str:
    """Return scripts of this package as one text."""
    return "\n".join(['"use strict";', *map(template_text, names)])


def page_policy(*scripts: str) -> str:
    """Return the content security policy of a page that runs these scripts and no others."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'"
        for s in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline';"
        " img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def script_safe_json(value: Any) -> str:
    """Return JSON in which no text can end the script element that holds it."""
    text = json.dumps(plain(value), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def own_names(svg: str, prefix: str) -> str:
    """Return a drawing whose clip paths have names of their own: a page may hold several."""
    return re.sub(r"\b(clip|gradient)(\d+)\b(?=[\")])", rf"{prefix}-\1\2", svg)


@functools.cache
def vega_bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script (from vl-convert, no network).

    Bundling takes more than a second, so the script is kept in the cache.
    """

    def bundle() -> str:
        import vl_convert

        return vl_convert.javascript_bundle(_EXPOSED)

    wanted = hashlib.sha256(_EXPOSED.encode()).hexdigest()[:8]
    name = f"vega-{metadata.version('vl-convert-python')}-{wanted}.js"
    return re.sub(r"</(script)", r"<\\/\1", kept_text(name, bundle), flags=re.IGNORECASE)


def template_text(name: str) -> str:
    """Return the text of a template, style sheet or script of this package."""
    return resources.files("overparam.report").joinpath("templates", name).read_text("utf-8")
