"""Tell programs what to use instead of a name of PyTorch's that is missing: `nn`, `optim` ask it.

One table: a module asks it when a name is missing, so that a ported program is told where to go.
"""

from __future__ import annotations

from typing import Any, NoReturn

PAGE = "numpy, on x.detach().numpy(), where no gradient is needed"
FACTORS = "numpy.linalg, on x.detach().numpy()"
MATRICES = """adjoint cholesky cholesky_inverse cholesky_solve cholesky_ex cond det eig eigh eigvals
eigvalsh geqrf householder_product inv inv_ex inverse ldl_factor ldl_factor_ex ldl_solve
lobpcg logdet lstsq lu lu_factor lu_factor_ex lu_solve lu_unpack matrix_exp matrix_rank
nuclear_norm orgqr ormqr pca_lowrank pinv pinverse qr slogdet solve solve_ex
solve_triangular svd svd_lowrank svdvals symeig tensorinv tensorsolve triangular_solve
LinAlgError vander matmul frobenius_norm"""
SPECIAL = """digamma erfc erfinv i0 igamma igammac lgamma mvlgamma polygamma frexp ldexp nextafter
stft istft hash_tensor"""
BITS_OF_FLOATS = """quantize_per_tensor quantize_per_channel quantize_per_tensor_dynamic dequantize
fake_quantize_per_channel_affine fake_quantize_per_tensor_affine int_repr q_scale
q_zero_point q_per_channel_axis q_per_channel_scales q_per_channel_zero_points qscheme
quantized_batch_norm quantized_gru_cell quantized_lstm_cell quantized_max_pool1d
quantized_max_pool2d quantized_max_pool3d quantized_rnn_relu_cell
quantized_rnn_tanh_cell choose_qparams_optimized fused_moving_avg_obs_fake_quant
fbgemm_linear_fp16_weight fbgemm_linear_int8_weight
fbgemm_linear_fp16_weight_fp32_activation fbgemm_linear_int8_weight_fp32_activation
fbgemm_linear_quantize_weight fbgemm_pack_gemm_matrix_fp16 fbgemm_pack_quantized_matrix"""
SPARSE = """sparse to_sparse to_sparse_bsc to_sparse_bsr to_sparse_coo to_sparse_csc to_sparse_csr
to_dense to_padded_tensor coalesce is_coalesced ccol_indices col_indices crow_indices
row_indices ccol_indices_copy col_indices_copy crow_indices_copy row_indices_copy
indices_copy values_copy dense_dim sparse_dim sparse_mask sparse_resize_
sparse_resize_and_clear_ sspaddmm spmm smm hsmm hspmm dsmm saddmm resize_as_sparse_
nonzero_static indices values index"""
COMPLEX = """complex complex64 conj conj_physical conj_physical_ imag real polar angle is_conj
is_neg resolve_conj resolve_neg view_as_real view_as_complex view_as_real_copy
view_as_complex_copy cfloat cdouble chalf"""
COPIES = """alias_copy as_strided_copy detach_copy diagonal_copy expand_copy narrow_copy
permute_copy select_copy slice_copy split_copy split_with_sizes_copy squeeze_copy t_copy
transpose_copy unbind_copy unfold_copy unsqueeze_copy view_copy unsafe_chunk
unsafe_split unsafe_split_with_sizes detach t"""
INNARDS = """batch_norm_backward_elemt batch_norm_backward_reduce batch_norm_elemt
batch_norm_gather_stats batch_norm_gather_stats_with_counts batch_norm_stats
batch_norm_update_stats native_batch_norm native_channel_shuffle native_dropout
native_group_norm native_layer_norm native_norm norm_except_dim miopen_batch_norm
miopen_convolution miopen_convolution_add_relu miopen_convolution_relu
miopen_convolution_transpose miopen_depthwise_convolution miopen_rnn convolution
is_distributed is_inference is_signed sym_float sym_int sym_ite sym_max sym_min sym_not
sym_sum slice_inverse index_reduce constant_pad_nd rsub get_device feature_dropout
conv_tbc as_strided_scatter as_strided as_strided_ dim_order as_subclass const_data_ptr
data_ptr is_set_to is_shared is_pinned module_load mtia ipu xpu new new_empty_strided
record_stream register_post_accumulate_grad_hook reinforce storage storage_offset
storage_type untyped_storage to_mkldnn set_ map_ map2_ apply_ put put_ renorm renorm_
fill_diagonal_ histogram histogramdd gradient binomial poisson nanquantile resize
resize_ resize_as resize_as_ bfloat16 pin_memory share_memory_ index_reduce_"""
PICTURES = """AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool2d AdaptiveMaxPool3d AvgPool3d
BatchNorm2d BatchNorm3d ChannelShuffle CircularPad2d CircularPad3d ConstantPad2d
ConstantPad3d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d CrossMapLRN2d Fold
FractionalMaxPool2d FractionalMaxPool3d InstanceNorm2d InstanceNorm3d LPPool1d LPPool2d
LPPool3d LocalResponseNorm MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d PixelShuffle
PixelUnshuffle ReflectionPad2d ReflectionPad3d ReplicationPad2d ReplicationPad3d
Softmax2d SyncBatchNorm Unfold UpsamplingBilinear2d UpsamplingNearest2d ZeroPad2d
ZeroPad3d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool2d
adaptive_max_pool3d affine_grid affine_grid_generator avg_pool3d channel_shuffle conv3d
conv_transpose1d conv_transpose2d conv_transpose3d fold fractional_max_pool2d
fractional_max_pool3d grid_sample grid_sampler grid_sampler_2d grid_sampler_3d
interpolate local_response_norm lp_pool1d lp_pool2d lp_pool3d max_pool3d max_unpool1d
max_unpool2d max_unpool3d pixel_shuffle pixel_unshuffle unfold upsample"""
PLACES = """adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices
adaptive_max_pool3d_with_indices fractional_max_pool2d_with_indices
fractional_max_pool3d_with_indices max_pool1d_with_indices max_pool2d_with_indices
max_pool3d_with_indices"""
LAZY = """LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d
LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d
LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear UninitializedBuffer
UninitializedParameter"""
DROPOUTS = """Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout RReLU alpha_dropout
dropout1d dropout2d dropout3d feature_alpha_dropout rrelu"""
EVERYWHERE = {  # what to use: the names, wherever they are asked for
    FACTORS: MATRICES,
    "scipy.special or numpy, on x.detach().numpy()": SPECIAL,
    "floats only": BITS_OF_FLOATS,
    "whole numbers as the input of a layer: they look up rows": SPARSE,
    "real numbers only": COMPLEX,
    "the function without _copy or unsafe_: a Tensor's own method": COPIES,
    PAGE: INNARDS,
    "Conv1d, MaxPool1d and the other layers for sequences": PICTURES,
    "return_indices=True": PLACES,
    "the layer with its sizes given": LAZY,
    "Dropout, or VariationalDropout for whole features": DROPOUTS,
    "nn.LSTM, nn.GRU, nn.RNN and their cells": """lstm lstm_cell gru gru_cell rnn_relu rnn_relu_cell
rnn_tanh rnn_tanh_cell RNNBase RNNCellBase""",
    "nn.functional's": "batch_norm ctc_loss instance_norm log_sigmoid",
    "Embedding, then a mean over the axis": "embedding_bag EmbeddingBag",
    "x = f(x), which makes a new Tensor": """bernoulli_ cauchy_ exponential_ geometric_ log_normal_
random_ swapaxes_ swapdims_ digamma_ erfc_ erfinv_ i0_ igamma_ igammac_ ldexp_ lgamma_ mvlgamma_
nextafter_ polygamma_""",
}
USE: dict[str, dict[str, str]] = {
    "tinygrad_rnn": {
        "autocast": "one dtype for a model: model.half(), .float() or .double()",
        "backends": "there is nothing to switch",
        "bfloat16": "float16 or float32",
        "compile_model": "layer.compile()",
        "default_generator": "manual_seed, or a Generator of your own",
        "distributed": "one process computes; give each a part of the batch and mean the gradients",
        "fft": "numpy.fft, on x.numpy()",
        "finfo": "numpy.finfo",
        "func": "jacobian, hessian, jvp, vjp, hvp",
        "get_num_threads": "OMP_NUM_THREADS in the environment",
        "get_rng_state": "generator.state_dict()",
        "iinfo": "numpy.iinfo",
        "jit": "layer.compile(), which needs no script",
        "multiprocessing": "Python's own",
        "onnx": "nn.dialects.to_onnx for recurrent layers",
        "range": "arange, which leaves the end out",
        "seed": "manual_seed",
        "set_default_device": "device= where tensors are made",
        "set_num_threads": "OMP_NUM_THREADS in the environment, before Python starts",
        "set_printoptions": "numpy.set_printoptions",
        "set_rng_state": "generator.load_state_dict()",
        "Size": "shapes are plain tuples",
        "ByteTensor": "tensor(data, dtype=uint8)",
        "slice": "x[a:b], or x.narrow(dim, start, length)",
        "use_deterministic_algorithms": "nothing: all of it is deterministic",
        "utils": "text.Batches for batches, nn.utils for clipping and packing",
        "vmap": "functions take leading axes",
    },
    "tinygrad_rnn.nn": {
        "AdaptiveLogSoftmaxWithLoss": "CrossEntropyLoss, which is fused",
        "Buffer": "register_buffer",
        "Container": "Module",
        "DataParallel": "one device computes",
        "InstanceNorm1d": "LayerNorm",
        "LinearCrossEntropyLoss": "Linear, then CrossEntropyLoss",
        "LinearCrossEntropyOptions": "Linear, then CrossEntropyLoss",
        "MultiLabelMarginLoss": "MultiLabelSoftMarginLoss",
        "NLLLoss2d": "NLLLoss",
        "ParameterDict": "a dict of Parameters as an attribute",
        "ParameterList": "a list of Parameters as an attribute",
        "Transformer": "Seq2Seq(attention=True)",
        "TransformerDecoder": "a recurrent layer with attention",
        "TransformerDecoderLayer": "MultiheadAttention, LayerNorm and Linear",
        "TransformerEncoder": "a recurrent layer with attention",
        "TransformerEncoderLayer": "MultiheadAttention, LayerNorm and Linear",
        "TripletMarginWithDistanceLoss": "nn.functional.triplet_margin_with_distance_loss",
        "Upsample": "x.repeat_interleave(2, dim)",
    },
    "tinygrad_rnn.nn.functional": {
        "linear_cross_entropy": "linear, then cross_entropy",
        "multi_head_attention_forward": "nn.MultiheadAttention",
        "multilabel_margin_loss": "multilabel_soft_margin_loss",
    },
    "tinygrad_rnn.init": {
        "dirac_": "eye_",
        "trunc_normal_": "normal_, then p.clamp_",
    },
    "tinygrad_rnn.optim": {
        "Adafactor": "Adam",
        "Muon": "Adam",
        "RAdam": "NAdam, or Adam with LinearWarmup",
        "SparseAdam": "Adam",
    },
}


def instead_of(module: str, name: str) -> str | None:
    """Return what to use instead of a name that PyTorch has there, or None if it is not known."""
    own = USE.get(module, {}).get(name)
    return own or next((use for use, names in EVERYWHERE.items() if name in names.split()), None)


def signpost(module: str, name: str, known: list[str]) -> NoReturn:
    """Raise AttributeError for a missing name, and say what to use or which name is nearest.

    >>> import tinygrad_rnn as t
    >>> t.jit
    Traceback (most recent call last):
    AttributeError: tinygrad_rnn has no 'jit'; use layer.compile(), which needs no script
    """
    from difflib import get_close_matches  # where one is wanted: it loads slowly

    told = f"{module} has no {name!r}"
    instead = instead_of(module, name)
    near = get_close_matches(name, [k for k in known if k[0] != "_"], 1, 0.7)
    if instead:
        told += f"; use {instead}"
    elif near:
        told += f"; did you mean {near[0]!r}?"
    raise AttributeError(told)


class Signpost:
    """An attribute that is missing and says what to use: `hasattr` is False, at no cost."""

    __slots__ = ("name", "owner", "use")

    def __init__(self, owner: str, name: str, use: str):
        self.owner, self.name, self.use = owner, name, use

    def __get__(self, instance: Any, owner: Any = None) -> NoReturn:
        raise AttributeError(f"{self.owner} has no {self.name!r}; use {self.use}")


def mark(kind: type, module: str) -> None:
    """Let a class answer for each known name that it lacks."""
    known = set(dir(kind))  # hasattr would load what is to be loaded when it is touched
    for use, names in EVERYWHERE.items():
        for name in names.split():
            if name.islower() and name not in known:
                setattr(kind, name, Signpost(module, name, use))
