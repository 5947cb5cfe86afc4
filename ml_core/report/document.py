"""A document said once, and written for a terminal, as Markdown, and as one html page that needs nothing.

Every text may come from the data: each writer escapes it in its own way.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from ml_core.report import png, svg
from ml_core.report.charts import Bars, Heat, Lines

# what would be markup, a link, a picture, or call somebody by name
MARKDOWN = str.maketrans({sign: f"&#{ord(sign)};" for sign in "&<>|[]`*@#!"})
GOOD, BAD, NEITHER = "yes", "no", "-"


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, whether it is a number, and what to make of it (GOOD, BAD or "")."""

    text: str
    number: bool = False
    tone: str = ""


@dataclass(frozen=True)
class Section:
    """A title, a note, a table of Cells, charts; each may be empty."""

    title: str
    note: str = ""
    heads: list[str] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    charts: list[Lines | Bars | Heat] = field(default_factory=list)

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers only."""
        columns = zip(*self.rows, strict=True)
        return [all(one.number for one in column if one.text) for column in columns]


@dataclass(frozen=True)
class Document:
    """A title, one sentence that says it all with its tone, and sections."""

    title: str
    lead: str
    tone: str = ""
    sections: list[Section] = field(default_factory=list)

    @property
    def charts(self) -> list[Lines | Bars | Heat]:
        """All charts, in order."""
        return [chart for section in self.sections for chart in section.charts]


def cell(value, digits=4) -> Cell:
    """A value as a cell: numbers to so many significant digits, None as nothing, truths as yes and no."""
    if value is None or (isinstance(value, float) and value != value):
        return Cell("", True)
    if isinstance(value, bool):
        return Cell(GOOD if value else BAD, False, GOOD if value else BAD)
    if isinstance(value, int):
        return Cell(str(value), True)
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < 1e15
        return Cell(str(int(value)) if whole else f"{value:.{digits}g}", True)
    return Cell(" ".join(str(value).split()))


def write(document: Document, path: Path) -> list[Path]:
    """Write ``path`` and return all files written.

    NAME.html is one page. NAME.md comes with NAME.html and, beside them, NAME-plots/*.png that it shows.
    ValueError for any other ending.
    """
    path = Path(path)
    if path.suffix not in (".md", ".html"):
        raise ValueError(f"{path}: a report ends with .md (with plots and a page beside it) or with .html")
    path.parent.mkdir(parents=True, exist_ok=True)
    files = {path.with_suffix(".html"): html(document)}
    drawn = []
    if path.suffix == ".md":
        plots = path.with_name(f"{path.stem}-plots")
        drawn = [plots / name for name in png.save(document.charts, plots)]
        files = {path: markdown(document, plots.name)} | files
    for file, text in files.items():
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    return [*files, *drawn]


def markdown(document: Document, plots: str = "") -> str:
    """Document -> Markdown; ``plots`` is the folder of the charts' PNG as seen from the file, "" for none."""
    lines = [f"# {_plain(document.title)}", "", f"**{_plain(document.lead)}**", ""]
    for section in document.sections:
        charts = [chart for chart in section.charts if plots]
        if not section.rows and not charts and not section.note:
            continue
        lines += [f"## {_plain(section.title)}", ""]
        lines += [_plain(section.note), ""] if section.note else []
        if section.rows:
            lines.append("| " + " | ".join(map(_plain, section.heads)) + " |")
            lines.append("|" + "|".join("---:" if number else "---" for number in section.numeric) + "|")
            lines += ["| " + " | ".join(_toned(one) for one in row) + " |" for row in section.rows]
            lines.append("")
        lines += [f"![{_plain(chart.title)}]({plots}/{chart.name}.png)\n" for chart in charts]
    return "\n".join(lines)


def _plain(text):
    return " ".join(str(text).split()).translate(MARKDOWN)


def _toned(one):
    text = _plain(one.text)
    return f"**{text}**" if one.tone == BAD and text else text


def html(document: Document) -> str:
    """Document -> one self-contained page."""
    import jinja2
    from markupsafe import Markup

    from ml_core.report.page import style

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    text = Path(__file__).with_name("document.html.j2").read_text(encoding="utf-8")
    draw = lambda chart: Markup(svg.draw(chart, 350))  # noqa: E731  svg.draw escapes every text from the data
    return environment.from_string(text).render(document=document, css=style(), draw=draw)


def terminal(document: Document, console=None) -> None:
    """Print the document without its charts; ``console`` is rich's."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console()
    styles = {GOOD: "green", BAD: "bold red", "": ""}
    console.print(Text(document.title, "bold"))
    console.print(Text(document.lead, styles[document.tone]))
    for section in document.sections:
        if not section.rows:
            continue
        table = Table(box=None, pad_edge=False)
        for head, number in zip(section.heads, section.numeric, strict=True):
            table.add_column(Text(head), justify="right" if number else "left", overflow="fold")
        for row in section.rows:
            table.add_row(*(Text(one.text, styles[one.tone]) for one in row))
        console.print()
        console.print(Text(section.title, "italic"))
        console.print(table)
        if section.note:
            console.print(Text(section.note, "dim"))
