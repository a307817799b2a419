import pytest

from streamanon.config import Config
from streamanon.detectors.age import AgeNet
from streamanon.detectors.gender import GenderNet
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.detectors.yunet import YuNetDetector
from streamanon.factory import Factory
from streamanon.identities.portrait import PortraitReader


@pytest.fixture(scope="session")
def reader(
    yunet: YuNetDetector,
    mesher: MeshFitter,
    embedder: MobileFaceNetEmbedder,
    gender_net: GenderNet,
    age_net: AgeNet,
) -> PortraitReader:
    """The product's reader of portraits."""
    probes = Factory(Config()).appearance_probes
    return PortraitReader(yunet, mesher, embedder, gender_net, age_net, probes)
