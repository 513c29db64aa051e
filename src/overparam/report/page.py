"""What every page is made of: templates, styles in two themes, and a policy that forbids requests.

The content security policy forbids every request, and lets only the scripts run that are written
here, by their hashes: text from a study can do nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from overparam.report.palette import DARK, LIGHT


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
    return environment.get_template(template).render(**values)


def page_style(names: Sequence[str]) -> str:
    """Return style sheets of this package as one text, with the colours of both themes."""
    css = "\n".join(map(template_text, names))
    for name, palette in (("LIGHT", LIGHT), ("DARK", DARK)):
        variables = " ".join(f"--{key}: {color};" for key, color in palette.items())
        css = css.replace("{{" + name + "}}", variables)
    return css


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


def template_text(name: str) -> str:
    """Return the text of a template, style sheet or script of this package."""
    return resources.files("overparam.report").joinpath("templates", name).read_text("utf-8")
