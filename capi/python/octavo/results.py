"""What the jobs on directories give: the fields that are asked for most, and the whole JSON document beside them."""
from __future__ import annotations

import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

Document = dict[str, Any]


def _framed(page: str) -> str:
    """A page inside a notebook's: a frame of its own, so that neither's styles reach the other."""
    return (f'<iframe srcdoc="{html.escape(page)}" style="width:100%;height:80vh;border:0" '
            'sandbox="allow-popups"></iframe>')


def _table(head: list[str], rows: list[list[object]]) -> str:
    def row(cells: list[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + row(head, "th") + "".join(row(cells, "td") for cells in rows) + "</table>"


def _value(number: object) -> str:
    return f"{number:.4g}" if isinstance(number, float) else str(number)


@dataclass(frozen=True)
class CheckResult:
    """What `check` found. Schema of `document`: docs/check.md."""

    ok: bool
    problems: list[Document]
    document: Document = field(repr=False)

    def __bool__(self) -> bool:
        return self.ok


@dataclass(frozen=True)
class QuantizeResult:
    """What `quantize` did. Schema of `document`: docs/report.md, "quantization"."""

    directory: Path  #: the quantized model
    layers: list[Document] = field(repr=False)  #: each linear's error and loss
    warnings: list[str]
    document: Document = field(repr=False)

    def _repr_html_(self) -> str:
        """The page that quantize writes into the directory."""
        page = self.directory / "octavo_report.html"
        return _framed(page.read_text(encoding="utf-8")) if page.exists() else html.escape(repr(self))


@dataclass(frozen=True)
class VerifyResult:
    """What `verify` found. Schema of `document`: docs/verify.md."""

    passed: bool
    verdict: str  #: "passed", "failed", or "not_judged" where the original answers too badly for a judgement
    failures: list[str]
    diagnosis: Optional[Document] = field(repr=False)  #: causes and what to do; None when nothing failed
    document: Document = field(repr=False)
    page: Optional[Path] = None  #: the report as one HTML page, where one was asked for

    def __bool__(self) -> bool:
        return self.passed

    @property
    def steps(self) -> list[Document]:
        """The steps in their order: name, status, metrics, thresholds, failures."""
        steps: list[Document] = self.document["steps"]
        return steps

    def _repr_html_(self) -> str:
        """In a notebook: the report, where one was asked for; else the verdict and a table of the steps."""
        if self.page is not None and self.page.exists():
            return _framed(self.page.read_text(encoding="utf-8"))
        rows: list[list[object]] = [
            [step["title"], step["status"],
             ", ".join(f"{name} {_value(value)}" for name, value in step["metrics"].items() if name != "further"),
             step["note"]] for step in self.steps]
        failures = "".join(f"<p>{html.escape(line)}</p>" for line in self.failures)
        return f"<p><b>{html.escape(self.verdict)}</b></p>{failures}" + _table(["step", "status", "metrics", "note"], rows)


@dataclass(frozen=True)
class CompareResult:
    """What `compare` found. Schema of `document`: docs/report.md, "compare"."""

    ok: bool
    wrong: int  #: differences that are neither expected nor harmless
    differences: list[Document] = field(repr=False)
    document: Document = field(repr=False)

    def __bool__(self) -> bool:
        return self.ok

    def _repr_html_(self) -> str:
        keys = ["class", "where", "what", "original", "quantized", "remedy"]
        rows: list[list[object]] = [[difference.get(key, "") for key in keys] for difference in self.differences]
        return f"<p><b>{'ok' if self.ok else f'{self.wrong} wrong'}</b></p>" + _table(keys, rows)


@dataclass(frozen=True)
class AttributeResult:
    """Which module groups cost quality. Schema of `document`: docs/attribution.md."""

    suggestion: str  #: "not_needed", "found" or "out_of_reach"
    recipe: Optional[str] = field(repr=False)  #: JSON to quantize anew with, where a suggestion was found
    groups: list[Document] = field(repr=False)
    document: Document = field(repr=False)
