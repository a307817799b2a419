"""The picture of a gallery."""

import numpy as np
import pytest

from streamanon.identities import sheet
from streamanon.identities.gallery import load_builtin
from streamanon.identities.portrait import PortraitReader
from streamanon.imaging.picture import as_picture


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (5, 3, 2), (26, 7, 4)])
def test_a_sheet_has_a_cell_for_everybody(count: int, columns: int, rows: int) -> None:
    drawn = sheet.contact_sheet(load_builtin()[:count])
    assert drawn.shape == (
        rows * (sheet.CELL_PX + sheet.LABEL_PX) + sheet.GAP_PX,
        columns * (sheet.CELL_PX + sheet.GAP_PX) + sheet.GAP_PX,
        3,
    )
    paper = (drawn == np.array(sheet.PAPER, np.uint8)).all(axis=2)
    assert paper[: sheet.GAP_PX].all()
    label = slice(sheet.GAP_PX + sheet.CELL_PX, sheet.GAP_PX + sheet.CELL_PX + sheet.LABEL_PX)
    assert not paper[label].all()


def test_every_face_of_the_sheet_can_be_found(reader: PortraitReader) -> None:
    drawn = sheet.contact_sheet(load_builtin())
    faces = reader.detector.detect(as_picture(drawn))
    cells = {
        tuple(((face.box[:2] + face.box[2:]) / 2 // (218, 240)).astype(int).tolist())
        for face in faces
        if face.score > 0.7
    }
    assert len(cells) == len(load_builtin())
