"""Files as torch and safetensors write them, byte for byte, and the numbers in them.

`file` holds the bytes; `expected/PATH` the numbers at that path of what was saved, keys joined by
"/"; what is no number is described by the options.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from record import case


def record() -> list[dict[str, Any]]:
    import torch

    torch.manual_seed(0)
    return [*torch_cases(), *safetensors_cases()]


def tensors() -> dict[str, Any]:
    """One tensor of each dtype that a Tensor can hold, and of each memory layout."""
    import torch

    kinds = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()
    made = {name: torch.arange(-2, 4).to(getattr(torch, name)).reshape(2, 3) for name in kinds}
    base = torch.arange(24.0).reshape(2, 3, 4)
    made |= {"transposed": base.transpose(0, 2), "sliced": base[:, 1:, ::2], "row": base[1, 2]}
    made |= {"expanded": base[0, :1].expand(3, 4), "scalar": torch.tensor(2.5)}
    return made | {"empty": torch.zeros(0, 3), "parameter": torch.nn.Parameter(torch.ones(2))}


def training() -> dict[str, Any]:
    import torch

    model = torch.nn.LSTM(3, 4, num_layers=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model(torch.randn(5, 2, 3))[0].square().sum().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}


def torch_cases() -> list[dict[str, Any]]:
    import torch

    unsigned = {name: torch.arange(3).to(getattr(torch, name)) for name in ("uint16", "uint32")}
    values = {"training": training(), "gru": torch.nn.GRU(2, 3).state_dict(), "unsigned": unsigned}
    values |= {f"tensor-{name}": tensor for name, tensor in tensors().items()}
    runs = [(name, value, 2) for name, value in values.items()]
    runs += [("training", values["training"], protocol) for protocol in (3, 4, 5)]
    runs += [("tensors", tensors(), protocol) for protocol in (2, 3, 4, 5)]
    return [torch_case(*run) for run in runs]


def torch_case(name: str, value: Any, protocol: int) -> dict[str, Any]:
    import torch

    file = io.BytesIO()
    torch.save(value, file, pickle_protocol=protocol)
    options = {"kind": "torch", "protocol": protocol}
    return case(f"{name}-{protocol}", options, arrays(file.getvalue(), value))


def safetensors_cases() -> list[dict[str, Any]]:
    from safetensors.torch import save

    made = {name: tensor.contiguous().clone() for name, tensor in tensors().items()}
    groups = {"all": made} | {name: {name: tensor} for name, tensor in made.items()}
    return [
        case(f"safetensors-{name}", {"kind": "safetensors"}, arrays(save(group), group))
        for name, group in groups.items()
    ]


def arrays(data: bytes, value: Any) -> dict[str, Any]:
    expected = {f"expected/{path[1:]}": a for path, a in leaves(value, "")}
    return {"file": np.frombuffer(data, np.uint8), **expected}


def leaves(value: Any, path: str) -> list[tuple[str, np.ndarray]]:
    """(path, array) of all numbers of a value."""
    if hasattr(value, "detach"):
        wide = str(value.dtype) == "torch.bfloat16"  # NumPy has none
        return [(path, (value.float() if wide else value).detach().numpy())]
    if isinstance(value, (bool, int, float)):
        return [(path, np.asarray(value))]
    if value is None or isinstance(value, str):
        return []
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return [leaf for key, part in pairs for leaf in leaves(part, f"{path}/{key}")]
