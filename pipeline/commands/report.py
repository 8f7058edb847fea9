"""Make a report of result files."""

from pathlib import Path

from pipeline import arguments as a
from pipeline import options


def report(
    files: a.ResultFiles,
    out: a.ReportFile = None,
    figures: a.FiguresFolder = None,
    markdown: a.MarkdownFile = None,
    readme: a.ReadmeFile = None,
) -> None:
    """Make one HTML file of what bench and profile measured; it needs no network.

    \b
    shufflenet-tvm report results.json --out report.html
    shufflenet-tvm report results.json profile.json --out report.html --figures figures
    shufflenet-tvm report results.json --out report.html --figures figures --markdown results.md
    shufflenet-tvm report results.json --readme README.md
    """
    options.require_report(out, readme)
    if readme is not None:
        _insert(files, readme)
    if out is not None:
        _page(files, out, figures, markdown)


def _insert(files: list[Path], readme: Path) -> None:
    from pipeline.readme import insert_results
    from pipeline.result_files import read_results

    insert_results(read_results(options.single_file(files)), readme)
    print(f"{readme}: has the tables of {files[0]}")


def _page(files: list[Path], out: Path, figures: Path | None, markdown: Path | None) -> None:
    page_path, text_path = options.result_file(out), options.result_file(markdown)
    options.require_package("vl_convert", "report")
    options.require_package("jinja2", "report")
    options.require_figures(markdown, figures)
    from pipeline.page.evidence import read_evidence
    from pipeline.page.figures import figures as figures_of
    from pipeline.page.figures import write_figures
    from pipeline.page.page import markdown as markdown_of
    from pipeline.page.page import page
    from pipeline.result_files import write_text

    evidence = read_evidence(files)
    assert page_path is not None
    write_text(page(evidence), page_path)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, opens in any browser, without a network")
    if figures is not None:
        drawn = figures_of(evidence)
        print(f"{figures}: {len(write_figures(drawn, figures))} figures, as SVG and PNG")
        if text_path is not None:
            write_text(markdown_of(evidence, drawn, str(figures)), text_path)
            print(f"{markdown}: the tables, with links to the figures")
