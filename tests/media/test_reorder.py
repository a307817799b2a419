"""Pictures that are shown before those they were predicted from."""

from streamanon.media.reorder import ReorderBuffer


def _run(
    decoded: list[int], damaged: tuple[int, ...] = (), lost: tuple[int, ...] = ()
) -> list[str]:
    """Return what is given on after each packet, "!" behind what is damaged.

    Args:
        decoded: pts in the order of decoding.
        damaged: of these, not to be believed.
        lost: of these, never shown.
    """
    line, shown, given = ReorderBuffer[int](), 0, []
    for count, pts in enumerate(decoded, start=1):
        line.send(pts)
        out = []
        # a decoder shows a picture once none before it can come any more
        ready = sorted(one for one in decoded[:count] if one not in lost)
        while shown < len(ready) and all(one > ready[shown] for one in decoded[count:]):
            one = ready[shown]
            out += list(line.show(one, one, damaged=one in damaged))
            shown += 1
        given.append(" ".join(f"{one}{'!' * bad}" for one, bad in out))
    return given


def test_without_reordering_nothing_waits() -> None:
    assert _run([0, 1, 2, 3]) == ["0", "1", "2", "3"]
    assert _run([0, 1, 2, 3], damaged=(2,)) == ["0", "1", "2!", "3"]
    assert _run([0, 1, 2, 3], lost=(1,)) == ["0", "", "2", "3"]


def test_b_pictures_wait_for_what_they_were_predicted_from_and_come_one_by_one() -> None:
    given = " ".join(_run([0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11])).split()
    assert given == [str(number) for number in range(11)]  # two are held
    late = " ".join(_run([0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11], damaged=(6,))).split()
    assert late == ["0", "1", "2", "3", "4!", "5!", "6!", "7", "8", "9", "10"]


def test_they_do_not_wait_for_what_is_lost() -> None:
    decoded = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11, 15, 13, 14]
    given = " ".join(_run(decoded, lost=(6,))).split()
    assert given == [str(number) for number in range(14) if number != 6]


def test_a_time_that_jumps_back_holds_nothing_for_long() -> None:
    line = ReorderBuffer[int]()
    seen = []
    for pts in [*range(1000, 1040), *range(100)]:
        line.send(pts)
        if pts != 1039:  # the last one before the jump never comes
            seen += [one for one, _ in line.show(pts, pts, damaged=False)]
    assert seen[-1] > 80
