"""Glasses are worn when several looks say so, and stay until many say the opposite."""

from streamanon.tracking.glasses import FEW, NOT_WORN, REMEMBERED, SURE, WORN, WornGlasses


def after(*scores: float) -> WornGlasses:
    worn = WornGlasses()
    for score in scores:
        worn.look(score, 0.3)
    return worn


def test_one_look_must_be_sure() -> None:
    assert after(SURE + 0.01).worn
    assert not after((SURE + WORN) / 2).worn


def test_a_few_looks_together_need_less() -> None:
    doubtful = (SURE + WORN) / 2
    assert not after(*[doubtful] * (FEW - 1)).worn
    assert after(*[doubtful] * FEW).worn


def test_a_doubtful_look_takes_no_glasses_off() -> None:
    assert after(*[WORN + 0.05] * FEW, *[NOT_WORN + 0.05] * 100).worn


def test_glasses_that_are_taken_off_are_gone_after_a_while() -> None:
    seen = [after(*[0.5] * 100, *[-1.0] * looks).worn for looks in (1, REMEMBERED)]
    assert seen == [True, False]
