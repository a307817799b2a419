"""Parts left out of the network or of its training, to measure their effect."""

from dataclasses import dataclass

SHORT = (
    "batch=8",
    "lr=0.0003",
    "rows.discriminator=4",
    "rows.identity=2",
    "rows.pose=2",
    "rows.consistency=2",
    "adversarial_from=100",
    "consistency_from=100",
    "ema_decay=0.99",
    "sample_every=1000000",
)
"""Settings of all short runs: as in a long one, but every term enters early."""


@dataclass(frozen=True)
class Variant:
    """A run that differs from the others in one thing.

    Attributes:
        settings: changed settings, as ``python -m training train --set`` takes them.
        about: description of the change.
    """

    settings: tuple[str, ...]
    about: str


VARIANTS = {
    "everything": Variant((), "the product's network and recipe"),
    "no landmark attention": Variant(
        ("network.landmark_attention=none",), "all landmarks count alike"
    ),
    "no graph": Variant(("network.graph=false",), "landmarks exchange no messages"),
    "no warped condition": Variant(
        ("network.warped=false",), "the portrait is not moved into place: the paper's composition"
    ),
    "no cross identity": Variant(
        ("mix=[0.5, 0.5, 0]",), "source and condition are always one person, as the paper trains"
    ),
    "no stability losses": Variant(
        ("weights.equivariance=0", "weights.noise=0"), "nothing asks for steadiness"
    ),
}
