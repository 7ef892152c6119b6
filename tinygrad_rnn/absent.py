"""Say what to use instead of a PyTorch name that is missing here; `nn` and `optim` ask.

One table: modules ask it when a name is missing, so that a ported program is told where to go.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import NoReturn

USE = {
    "tinygrad_rnn": {
        "backends": "there is nothing to switch",
        "compile_model": "layer.compile()",
        "complex64": "real numbers only",
        "distributed": "one process computes; give each a part of the batch and mean the gradients",
        "fft": "numpy.fft, on x.numpy()",
        "func": "jacobian, hessian, jvp, vjp, hvp",
        "jit": "layer.compile(), which needs no script",
        "multiprocessing": "Python's own",
        "onnx": "nn.dialects.to_onnx for recurrent layers",
        "quantize_per_tensor": "floats only",
        "Size": "shapes are plain tuples",
        "sparse": "whole numbers as the input of a layer: they look up rows",
        "ByteTensor": "tensor(data, dtype=uint8)",
        "slice": "x[a:b], or x.narrow(dim, start, length)",
        "utils": "text.Batches for batches, nn.utils for clipping and packing",
        "vmap": "functions take leading axes",
    },
    "tinygrad_rnn.nn": {
        "BatchNorm2d": "LayerNorm",
        "Conv3d": "Conv2d",
        "DataParallel": "one device computes",
        "AdaptiveAvgPool1d": "x.mean(-1)",
        "GroupNorm": "LayerNorm",
        "MultiheadAttention": "AttentionCell with a DotAttention for each head",
        "EmbeddingBag": "Embedding, then a mean over the axis",
        "InstanceNorm1d": "LayerNorm",
        "PReLU": "LeakyReLU",
        "Transformer": "Seq2Seq(attention=True)",
        "TransformerEncoder": "a recurrent layer with attention",
        "Upsample": "x.repeat_interleave(2, dim)",
    },
    "tinygrad_rnn.optim": {
        "SparseAdam": "Adam",
        "RAdam": "NAdam, or Adam with LinearWarmup",
        "Adafactor": "Adam",
    },
}


def signpost(module: str, name: str, known: list[str]) -> NoReturn:
    """Raise AttributeError for a missing name and say which name to use instead.

    >>> import tinygrad_rnn as t
    >>> t.jit
    Traceback (most recent call last):
    AttributeError: tinygrad_rnn has no 'jit'; use layer.compile(), which needs no script
    """
    told = f"{module} has no {name!r}"
    instead = USE.get(module, {}).get(name)
    near = get_close_matches(name, [k for k in known if k[0] != "_"], 1, 0.7)
    if instead:
        told += f"; use {instead}"
    elif near:
        told += f"; did you mean {near[0]!r}?"
    raise AttributeError(told)
