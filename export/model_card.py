"""The model card as Markdown, made from the card inside the network's file."""

from typing import Any

_FORMS = {
    "half": "as shipped: weights stored in half precision",
    "int8": "`anonygan_int8.onnx`: 8 bit integers in the trunk",
    "fp16": "half precision on TensorRT, from the first product to the last",
    "bf16": "bfloat16 on OpenVINO, on processors that have it",
}

_PURPOSE = (
    "Paints another person's face over a face, from the frame around it, 70 landmarks and a "
    "portrait moved into place; of the face's own pixels it gets the mean colour only. Made for "
    "hiding people, not for showing them: it must not be used to impersonate anybody."
)
_LOSSES = (
    "What each form costs against the network as it was trained, where the landmarks of the result "
    "lie {:.4f} eye distances from the source's. A form that costs more than 2 % of a face figure "
    "is not used:"
)


def model_card(card: dict[str, Any]) -> str:
    """Return the model card as Markdown.

    Args:
        card: model card of ``anonygan.onnx``.
    """
    return "\n".join(
        [
            "# AnonyGAN",
            "",
            "Written by `python -m export anonygan` from the card inside `anonygan.onnx`.",
            "",
            *_origin(card),
            "",
            *_data(card),
            "",
            *_forms(card),
            "",
            *_arrays(card),
            "",
        ]
    )


def _origin(card: dict[str, Any]) -> list[str]:
    seen = card["samples_seen"]
    trained = "training not noted" if seen is None else f"trained on {seen:,} samples"
    config = ", ".join(f"{name} {value}" for name, value in card["config"].items())
    return [
        _PURPOSE,
        "",
        f"* {trained}; {config}",
        f"* architecture `{card['architecture']}`, checkpoint `{card['checkpoint_sha256'][:16]}`",
        f"* licence of the weights: {card['licence']}, as streamanon",
    ]


def _data(card: dict[str, Any]) -> list[str]:
    rows = [
        f"| {one['set']} | {one['faces']:,} | {one['people']:,} | {one['licence']} |"
        for one in card["training_data"]
    ]
    return [
        "Training data, of which nothing ships:",
        "",
        "| set | faces | people | licence |",
        "|---|---|---|---|",
        *(rows or ["| not noted | | | |"]),
    ]


def _forms(card: dict[str, Any]) -> list[str]:
    rows = [
        f"| {_FORMS[form]} | {loss['levels_mean']:.3f} | {loss['levels_p99']:.0f} | "
        f"{loss['displacement']:.4f} | {loss['cosine']:.5f} | "
        f"{'yes' if loss['accepted'] else 'no'} |"
        for form, loss in card["measured"].items()
    ]
    exact = card["measured"]["half"]["displacement_exact"]
    return [
        _LOSSES.format(exact),
        "",
        "| form | mean difference, levels | 99 % of pixels below | landmarks | likeness | used |",
        "|---|---|---|---|---|---|",
        *rows,
    ]


def _arrays(card: dict[str, Any]) -> list[str]:
    rows = [
        f"| {end[:-1]} | `{name}` | {', '.join(map(str, about['shape']))} | {about['dtype']} |"
        for end in ("inputs", "outputs")
        for name, about in card[end].items()
    ]
    convention = ", ".join(f"{name} {value}" for name, value in card["convention"].items())
    return [
        f"Arrays (`streamanon/face/network_input.py`; {convention}):",
        "",
        "| | name | shape | type |",
        "|---|---|---|---|",
        *rows,
    ]
