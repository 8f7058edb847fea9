"""The page: sections laid out by a template, with all styles, scripts and data inside."""

from importlib import metadata
from importlib.resources import files

import vl_convert
from jinja2 import Environment as Templates
from jinja2 import StrictUndefined
from markupsafe import Markup

from pipeline.engines.registry import OURS
from pipeline.page.common_columns import without_common_columns
from pipeline.page.evidence import Evidence
from pipeline.page.figures import Figure
from pipeline.page.sections import Section, facts, sections
from pipeline.page.themes import DARK, LIGHT
from pipeline.results import Verdict
from pipeline.rows import TEXT_COLUMNS, markdown_table

# The one function of Vega-Embed that the page calls.
EMBED = "window.vegaEmbed = vegaEmbed;"
TITLE = "ShuffleNet and MobileNet, measured"


def page(evidence: Evidence) -> str:
    """One HTML file."""
    parts = sections(evidence)
    specs = {figure.name: figure.spec for part in parts for figure in part.figures}
    template = Templates(autoescape=True, undefined=StrictUndefined).from_string(_file("page.html"))
    return template.render(
        title=TITLE,
        subtitle=subtitle(evidence),
        sections=parts,
        facts=facts(evidence),
        data={"figures": specs, "themes": {"light": LIGHT, "dark": DARK}},
        css=Markup(_file("page.css")),
        script=Markup(_file("page.js")),
        # Of Vega, Vega-Lite and Vega-Embed, as one file that asks for nothing.
        library=Markup(vl_convert.javascript_bundle(EMBED).replace("</script", "<\\/script")),
        without_common_columns=without_common_columns,
        text_columns=TEXT_COLUMNS,
        ours=OURS.name,
        verdicts=[str(verdict) for verdict in Verdict],
        version=metadata.version("shufflenet-tvm"),
    )


def markdown(evidence: Evidence, figures: list[Figure], folder: str) -> str:
    """The same for a README: tables, and links to the figures in `folder`."""
    links = {figure.name: f"![{figure.title}]({folder}/{figure.name}.svg)" for figure in figures}
    blocks = [f"# {TITLE}", subtitle(evidence)]
    for part in sections(evidence):
        blocks += _markdown_section(part, links)
    return "\n\n".join(blocks) + "\n"


def subtitle(evidence: Evidence) -> str:
    """On what, and when."""
    machine = evidence.environments[0]
    dates = sorted({one.date[:10] for one in evidence.environments})
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"{machine.cpu}, {machine.cores} cores, {machine.machine}; {span}"


def _markdown_section(part: Section, links: dict[str, str]) -> list[str]:
    blocks = [f"## {part.title}"]
    if part.note:
        blocks.append(part.note)
    blocks += [markdown_table(rows) for rows in part.tables]
    for figure in part.figures:
        blocks += [links[figure.name], figure.note] if figure.name in links else [figure.note]
    if part.terms:
        blocks.append("\n".join(f"- {term}: {text}" for term, text in part.terms))
    return blocks


def _file(name: str) -> str:
    return files("pipeline.page").joinpath(name).read_text(encoding="utf-8")
