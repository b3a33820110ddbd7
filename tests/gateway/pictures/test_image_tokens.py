"""The estimator against what providers counted, row by row of the recorded measurements."""

from __future__ import annotations

import csv
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pictures.image_tokens import as_seen, estimate
from tests.conftest import SHARED

MEASURED = SHARED / "reference/image_tokens_measured.tsv"


def measurements(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if row["formula_prediction"]]


@pytest.mark.skipif(not MEASURED.exists(), reason="the measurements are not beside this checkout (shared/reference)")
def test_every_measurement_with_a_known_rule_is_met() -> None:
    rows = measurements(MEASURED)
    for row in rows:
        sizes = [size.strip().split("x") for size in row["images_wxh"].split(";")]
        details = [detail.strip().removeprefix("-") for detail in row["detail"].split(";")]
        each = [estimate(row["model"], int(w), int(h), d) for (w, h), d in zip(sizes, details, strict=True)]
        assert None not in each, row
        total = sum(one for one in each if one is not None)
        assert total == int(row["formula_prediction"]), (row, total)
        if row["image_tokens_reported"]:
            assert total == int(row["image_tokens_reported"]), row
    assert len(rows) > 50


@given(
    st.sampled_from(
        [
            "gpt-4o",
            "gpt-5-mini",
            "claude-opus-5",
            "gemini-2.0-flash",
            "gemini-3-pro",
            "pixtral-12b",
            "qwen2.5-vl",
            "gpt-5.4",
            "gpt-6-sol",
            "llama-4-scout",
        ]
    ),
    st.integers(1, 20_000),
    st.integers(1, 20_000),
)
def test_any_size_has_a_bounded_estimate(model: str, width: int, height: int) -> None:
    found = estimate(model, width, height)
    assert found is not None
    assert 0 <= found < 200_000


@given(
    st.sampled_from(
        [
            "gpt-4o",
            "gpt-4o-mini",
            "gpt-5-mini",
            "gpt-6-sol",
            "claude-opus-5",
            "claude-haiku-4-5",
            "gemini-2.0-flash",
            "gemini-3-pro",
            "pixtral-12b",
            "qwen2.5-vl",
            "llama-4-scout",
        ]
    ),
    st.integers(1, 9000),
    st.integers(1, 9000),
    st.sampled_from(["", "low", "high"]),
)
def test_the_cells_of_the_grid_add_up_to_the_tokens(model: str, width: int, height: int, detail: str) -> None:
    seen = as_seen(model, width, height, detail)
    assert seen is not None
    if seen.grid:
        cells = seen.grid.columns * seen.grid.rows
        assert ceil(cells * seen.grid.each) + seen.grid.besides == seen.tokens


def test_a_photo_is_cut_as_openais_guide_says() -> None:
    seen = as_seen("gpt-4o", 4000, 3000)
    assert seen is not None
    assert (seen.width, seen.height) == (1024, 768)
    assert seen.grid is not None
    assert (seen.grid.columns, seen.grid.rows, seen.grid.each, seen.grid.besides, seen.tokens) == (2, 2, 170, 85, 765)


def test_a_model_without_a_known_rule_has_no_estimate() -> None:
    assert estimate("llava-13b", 100, 100) is None
    assert estimate("gpt-4o", 0, 100) is None


@pytest.mark.parametrize(
    ("model", "detail", "tokens"),
    [
        ("gpt-5.4", "", ceil(64 * 32 * 1.2)),  # auto is high: 4000 x 2000 into 2048 x 1024, within 2500 patches
        ("gpt-5.5", "", ceil(125 * 63 * 1.2)),  # auto is original
        ("gpt-6-sol", "auto", ceil(125 * 63 * 1.2)),  # nothing is scaled
        ("gpt-6-sol", "low", ceil(16 * 8 * 1.2)),
    ],
)
def test_openais_newer_models_follow_the_detail(model: str, detail: str, tokens: int) -> None:
    assert estimate(model, 4000, 2000, detail) == tokens


def test_llama_4_differs_by_about_a_tile_as_measured() -> None:
    """Groq counted 1,501 tokens for 597 x 566 and 1,214 for 400 x 301, with the same words."""
    larger, smaller = estimate("llama-4-maverick", 597, 566), estimate("llama-4-maverick", 400, 301)
    assert larger is not None
    assert smaller is not None
    assert abs(larger - smaller - (1501 - 1214)) <= 4
