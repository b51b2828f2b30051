"""The field's terms: words of a private idiom, which this package once had in their place, do not come back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A word, and the term for it.
TERMS = {
    r"told|tells": "reports, says",
    r"anew": "again, from the start",
    r"(goes|going|went) on": "continues",
    r"mend(s|ed|ing)?": "fix, correct",
    r"surely": "certainly, or nothing",
    r"errands?": "callback",
    r"a look(?!-)": "poll, look-up",
    r"half of a character": "lone surrogate",
}
FILES = sorted(
    path
    for folder in ("airflow_provider_campaigns", "benchmarks", "dags_examples", "docs", "scripts", "tests", ".")
    for pattern in ("*.py", "*.md", "*.sh", "Makefile")
    for path in (ROOT / folder).glob(pattern if folder == "." else f"**/{pattern}")
    if path != Path(__file__) and path.parent.name != "reference"
)


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {str(path.relative_to(ROOT)): path.read_text() for path in FILES}


@pytest.mark.parametrize("word", TERMS)
def test_the_usual_terms(word: str, texts: dict[str, str]) -> None:
    # Names have words, too.
    pattern = re.compile(rf"(?<![a-z])({word.replace(' ', '[ _]')})(?![a-z])", re.IGNORECASE)
    found = [f"{path}: {match[0]}" for path, text in texts.items() if (match := pattern.search(text))]
    assert found == [], f"the usual term: {TERMS[word]}"
