import pytest

from streamanon.detectors.gender import GenderNet
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.detectors.yunet import YuNetDetector
from streamanon.identities.portrait import PortraitReader


@pytest.fixture(scope="session")
def reader(
    yunet: YuNetDetector, mesher: MeshFitter, embedder: MobileFaceNetEmbedder, gender_net: GenderNet
) -> PortraitReader:
    """The product's reader of portraits."""
    return PortraitReader(yunet, mesher, embedder, gender_net)
