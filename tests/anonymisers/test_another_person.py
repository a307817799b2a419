"""A face that is replaced becomes another person's in the same pose, by either method."""

from collections.abc import Callable

import numpy as np
import pytest

from streamanon.anonymisers.anonygan import AnonyganAnonymiser
from streamanon.anonymisers.network import FaceNetwork
from streamanon.anonymisers.warp import WarpAnonymiser
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.face import landmarks as lm
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture, whole_bgr
from streamanon.protocols import Anonymiser
from streamanon.safety.compose import compose
from streamanon.types import Treatment
from testkit.networks import mesh_fitter, network
from testkit.staged import CALM, LAUGHING, fit, frame, mesh_of, scene


def anonygan() -> Anonymiser:
    painter = FaceNetwork(network("anonygan.onnx"), network("anonygan_condition.onnx"))
    return AnonyganAnonymiser(painter, mesh_fitter(), WarpAnonymiser())


@pytest.mark.parametrize("index", [CALM, LAUGHING], ids=["calm", "laughing"])
@pytest.mark.parametrize("make", [WarpAnonymiser, anonygan], ids=["warp", "anonygan"])
def test_the_face_becomes_another_persons_in_the_same_pose(
    make: Callable[[], Anonymiser], index: int, mesher: MeshFitter, embedder: MobileFaceNetEmbedder
) -> None:
    image, mesh, identity = frame(index), mesh_of(index), load_builtin()[0]
    shot = scene(image, mesh, identity)
    safe = compose(shot, make().replace(shot))
    assert [(done.treatment, done.reason) for done in safe.treated] == [(Treatment.REPLACED, "")]
    result = whole_bgr(safe.picture)
    again = fit(mesher, result)
    moved = np.linalg.norm(again.points[:468, :2] - mesh.points[:468, :2], axis=1)
    assert moved.mean() < 0.06 * lm.inter_ocular_px(mesh.points)
    before, after = (
        embedder.embed(as_picture(shown), lm.five_points(fitted.points))
        for shown, fitted in ((image, mesh), (result, again))
    )
    assert float(before @ after) < 0.3
    assert float(identity.embedding @ after) > float(before @ after)
    outside = np.ones(image.shape[:2], bool)
    x0, y0, x1, y1 = lm.face_box_from_mesh(mesh.points).astype(int)
    outside[y0 - 4 : y1 + 4, x0 - 4 : x1 + 4] = False
    assert (result[outside] == image[outside]).all()
