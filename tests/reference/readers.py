"""Small files in each format that is read, and what is in them as f32 safetensors of the same name.

`python readers.py` (numpy, torch, safetensors, gguf) writes `readers/`. Numbers are random; the blocks of GGUF are random
bits with finite scales, so that every bit of every layout counts. Values are those of the `gguf` package, except for
Q8_K, which it does not read: there they are the scale times the bytes. `old.pt` holds addresses and is another each time.
"""

import json
from collections import OrderedDict
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from safetensors.numpy import save_file

HERE = Path(__file__).parent / "readers"
random = np.random.default_rng(41)

# Where the half-precision scales of a block stand.
SCALES = {
    Kind.Q4_0: [0], Kind.Q4_1: [0, 2], Kind.Q5_0: [0], Kind.Q5_1: [0, 2], Kind.Q8_0: [0], Kind.Q2_K: [80, 82],
    Kind.Q3_K: [108], Kind.Q4_K: [0, 2], Kind.Q5_K: [0, 2], Kind.Q6_K: [208], Kind.Q8_K: [],
}


def blocks(kind, rows, columns):
    block, size = gguf.GGML_QUANT_SIZES[kind]
    raw = random.integers(0, 256, (rows, columns // block, size), dtype=np.uint8)
    for at in SCALES[kind]:
        raw[..., at : at + 2] = random.normal(0, 0.1, raw.shape[:2] + (1,)).astype("<f2").view(np.uint8)
    if kind == Kind.Q8_K:
        raw[..., :4] = random.normal(0, 0.1, raw.shape[:2] + (1,)).astype("<f4").view(np.uint8)
    return raw.reshape(rows, -1)


def values(kind, raw):
    if kind != Kind.Q8_K:
        return gguf.quants.dequantize(raw, kind)
    raw = raw.reshape(raw.shape[0], -1, 292)
    scale, bytes_ = raw[..., :4].copy().view("<f4"), raw[..., 4:260].view(np.int8)
    return (scale * bytes_.astype(np.float32)).reshape(raw.shape[0], -1)


def write_gguf():
    writer, expected = gguf.GGUFWriter(HERE / "quantised.gguf", "llama"), {}
    writer.add_block_count(3)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_token_list(["<s>", "a", " b\n"])
    writer.add_token_scores([0.0, -1.5, -2.0])
    writer.add_array("test.nested", [[1, 2], [3]])
    writer.add_bool("test.yes", True)
    writer.add_int64("test.negative", -(2**40))
    for kind in SCALES:
        raw = blocks(kind, 2, 512 if kind.name.endswith("K") else 64)
        name = f"blk.0.{kind.name}"
        writer.add_tensor(name, raw, raw_dtype=kind)
        expected[name] = values(kind, raw)
    plain = random.normal(size=(3, 5)).astype(np.float32)
    for kind in ["float16", "float32", "float64"]:
        writer.add_tensor(kind, plain.astype(kind))
        expected[kind] = plain.astype(kind).astype(np.float32)
    writer.add_tensor("bfloat16", gguf.quants.quantize(plain, Kind.BF16), raw_dtype=Kind.BF16)
    expected["bfloat16"] = torch.from_numpy(plain).bfloat16().float().numpy()
    for kind in ["int8", "int16", "int32", "int64"]:
        whole = random.integers(-100, 100, (2, 3, 4)).astype(kind)
        writer.add_tensor(kind, whole)
        expected[kind] = whole.astype(np.float32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, HERE / "quantised.safetensors")


def write_torch():
    base = torch.from_numpy(random.normal(size=(4, 6)).astype(np.float32))
    state = OrderedDict(weight=base, bias=torch.nn.Parameter(base[0].clone()), part=base[1:3, 2:5], turned=base.T)
    state["step"] = base[:, ::2]
    module = torch.nn.Linear(3, 2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.from_numpy(random.normal(size=parameter.shape).astype(np.float32)))
    whole = {
        "model": state,
        "linear": module.state_dict(),
        "kinds": {
            str(kind).removeprefix("torch."): (base * 10).to(kind)
            for kind in [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8]
        },
        "bool": base > 0,
        "byte": (base.abs() * 10).to(torch.uint8),
        "several": [base[0], (base[1], base[2])],
        "scalar": torch.tensor(2.5),
        "epoch": 3,
        "loss": 0.125,
        "config": {"name": "tiny", "layers": [1, -2, 70000, 2**40], "tied": True, "none": None},
        "dtype": torch.float16,
        "size": base.shape,
    }
    torch.save(whole, HERE / "nested.pt")
    torch.save(state, HERE / "old.pt", _use_new_zipfile_serialization=False)
    expected = {f"model.{name}": value for name, value in state.items()}
    expected |= {f"linear.{name}": value for name, value in whole["linear"].items()}
    expected |= {f"kinds.{name}": value for name, value in whole["kinds"].items()}
    expected |= {"bool": whole["bool"], "byte": whole["byte"], "scalar": whole["scalar"], "several.0": base[0]}
    expected |= {"several.1.0": base[1], "several.1.1": base[2]}
    numbers = {name: value.detach().float().contiguous().numpy() for name, value in expected.items()}
    save_file(numbers, HERE / "nested.safetensors")


def write_npz():
    arrays = {
        "W_enc": random.normal(size=(4, 3)).astype(np.float32),
        "columns": np.asfortranarray(random.normal(size=(3, 5))),
        "half": random.normal(size=7).astype(np.float16),
        "ids": random.integers(0, 100, (2, 2)),
        "big": random.normal(size=3).astype(">f4"),
        "zeros": np.zeros((40, 50), np.float32),
        "one": np.float32(3.5),
    }
    np.savez(HERE / "stored.npz", **{name: value for name, value in arrays.items() if name != "zeros"})
    np.savez_compressed(HERE / "packed.npz", **arrays)
    expected = {name: np.asarray(value, np.float32, order="C") for name, value in arrays.items()}
    save_file(expected, HERE / "packed.safetensors")


def write_llama2c():
    dim, hidden, layers, heads, kv, vocab, context = 8, 12, 2, 4, 2, 10, 6
    shapes = {
        "token_embedding_table": (vocab, dim), "rms_att_weight": (layers, dim), "wq": (layers, dim, dim),
        "wk": (layers, dim * kv // heads, dim), "wv": (layers, dim * kv // heads, dim), "wo": (layers, dim, dim),
        "rms_ffn_weight": (layers, dim), "w1": (layers, hidden, dim), "w2": (layers, dim, hidden),
        "w3": (layers, hidden, dim), "rms_final_weight": (dim,), "freq_cis_real": (context, dim // heads // 2),
        "freq_cis_imag": (context, dim // heads // 2), "wcls": (vocab, dim),
    }
    arrays = {name: random.normal(size=shape).astype("<f4") for name, shape in shapes.items()}
    header = np.array([dim, hidden, layers, heads, kv, -vocab, context], "<i4").tobytes()
    (HERE / "llama2c.bin").write_bytes(header + b"".join(value.tobytes() for value in arrays.values()))
    save_file(arrays, HERE / "llama2c.safetensors")


def write_folder():
    folder = HERE / "sharded"
    folder.mkdir(exist_ok=True)
    shards = {"model-1.safetensors": {"a": np.ones((2, 3), np.float32)}, "model-2.safetensors": {"b": np.arange(3.0).astype("f4")}}
    for name, tensors in shards.items():
        save_file(tensors, folder / name)
    index = {"metadata": {}, "weight_map": {name: shard for shard, tensors in shards.items() for name in tensors}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps({"model_type": "tiny", "rope_parameters": {"rope_theta": 10000.0}}))


HERE.mkdir(exist_ok=True)
write_folder()
write_gguf()
write_torch()
write_npz()
write_llama2c()
