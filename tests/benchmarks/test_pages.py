from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from switchyard_benchmarks.pages import MAKINGS, photographed


@pytest.fixture
def page() -> Image.Image:
    picture = Image.new("RGB", (300, 400), (240, 240, 235))
    ImageDraw.Draw(picture).rectangle((40, 60, 260, 80), fill=(20, 20, 20))
    return picture


def test_the_same_seed_makes_the_same_picture(page: Image.Image) -> None:
    for name, make in MAKINGS.items():
        assert np.array_equal(np.asarray(make(page, 7)), np.asarray(make(page, 7))), name
    assert not np.array_equal(np.asarray(photographed(page, 7)), np.asarray(photographed(page, 8)))


def test_a_quarter_turn_loses_nothing(page: Image.Image) -> None:
    back = MAKINGS["turned 90"](page, 1).rotate(-90, expand=True)
    assert np.array_equal(np.asarray(back), np.asarray(page))


def test_a_photograph_has_a_table_a_shadow_and_the_whole_page(page: Image.Image) -> None:
    picture = np.asarray(photographed(page, 3).convert("L"), float)
    assert picture.shape > (400, 300)
    assert picture[:3, :3].mean() < 80
    paper = picture[picture > 100]
    assert paper.max() > 225
    assert np.percentile(paper, 5) < 0.75 * paper.max()
    assert (picture < 30).sum() > 0.5 * 220 * 20
