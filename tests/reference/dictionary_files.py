"""Tiny dictionaries in the files of other programs: `python dictionary_files.py FOLDER`, some seconds.

Width 6, 10 features (12 where sparsify multiplies the width, outputs of width 5 where a transcoder may), f32, all
parameters random, seeds from the folders' names. The peers' own code writes: SAELens, sparsify and
dictionary_learning; Gemma Scope is `numpy.savez`, and by hand, after their sources, the flat configurations of
SAELens before version 6 and the `.pt` of openai/sparse_autoencoder. JSON is written again with sorted keys, because
SAELens' order changes from run to run.

`expected.safetensors` has the inputs `x` and for each dictionary `<name>.code`, `<name>.rebuilt` and its weights as
they are used ([in, feature], [feature, out], skips [in, out]), from the loaders of `dictionary_loads.py` in float64,
rounded once. Nothing is stored unless the formulas below, in NumPy, and the peer itself in float32 agree.
"""

import inspect
import json
import shutil
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from dictionary_learning.trainers import batch_top_k, gdm, jumprelu, matryoshka_batch_top_k, standard, top_k
from dictionary_learning.training import trainSAE
from sae_lens import saes
from sae_lens.saes.sae import SAEMetadata
from safetensors.torch import save_file
from sparsify import SparseCoder, SparseCoderConfig

from dictionary_loads import code_and_rebuilt, difference, load

D, D_OUT, FEATURES, K, ROWS = 6, 5, 10, 5, 7
MODEL = {"model_name": "tiny", "hook_name": "blocks.1.hook_resid_pre", "hook_head_index": None, "context_size": 32,
         "prepend_bos": True, "dataset_path": "none", "model_from_pretrained_kwargs": {}}  # fmt: skip


def numbers(name):
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def random(module, name):
    """All parameters random, in place, so that the layouts stay the peer's; thresholds positive."""
    generator = numbers(name)
    with torch.no_grad():
        for key, value in module.named_parameters():
            drawn = torch.randn(value.shape, generator=generator) * (0.6 if value.ndim > 1 else 0.3)
            value.copy_(drawn.abs() + 0.1 if key == "threshold" else drawn)
    return module


def sort_keys(file):
    file.write_text(json.dumps(json.loads(file.read_text()), indent=1, sort_keys=True) + "\n")


def save_sae(folder, kind, save="save_model", threshold=None, **told):
    """`kind` is the start of the names of SAELens' classes."""
    config = getattr(saes, f"{kind}Config")(d_in=D, d_sae=FEATURES, metadata=SAEMetadata(**MODEL), **told)
    sae = random(getattr(saes, kind)(config), folder.name)
    if threshold is not None:
        sae.topk_threshold.fill_(threshold)
    getattr(sae, save)(folder)
    sort_keys(folder / "cfg.json")


def write_saelens(place):
    save_sae(place("saelens_standard"), "StandardSAE")
    save_sae(place("saelens_standard_uncentred"), "StandardSAE", apply_b_dec_to_input=False)
    save_sae(place("saelens_standard_layer_norm"), "StandardSAE", normalize_activations="layer_norm")
    save_sae(place("saelens_standard_f16"), "StandardSAE", dtype="float16")
    save_sae(place("saelens_topk"), "TopKSAE", k=K, rescale_acts_by_decoder_norm=False)
    save_sae(place("saelens_topk_rescaled"), "TopKSAE", k=K, rescale_acts_by_decoder_norm=True)
    save_sae(place("saelens_jumprelu"), "JumpReLUSAE")
    save_sae(place("saelens_gated"), "GatedSAE")
    for name, kind in (("transcoder", "Transcoder"), ("skip_transcoder", "SkipTranscoder"),
                       ("jumprelu_transcoder", "JumpReLUTranscoder"),
                       ("jumprelu_skip_transcoder", "JumpReLUSkipTranscoder")):  # fmt: skip
        save_sae(place(f"saelens_{name}"), kind, d_out=D_OUT, apply_b_dec_to_input=False)
    inference = {"save": "save_inference_model", "threshold": 0.4, "k": float(K)}
    save_sae(place("saelens_batchtopk"), "BatchTopKTrainingSAE", **inference)
    nested = {"matryoshka_widths": [4, FEATURES]}
    save_sae(place("saelens_matryoshka"), "MatryoshkaBatchTopKTrainingSAE", **inference, **nested)


def write_old_saelens(place):
    """The flat configurations: hook_point, a bool and the scaling factor of version 2; topk as of version 4."""
    generator = numbers("saelens_old")
    shapes = {"W_enc": (D, FEATURES), "b_enc": (FEATURES,), "W_dec": (FEATURES, D), "b_dec": (D,)}
    drawn = lambda: {key: torch.randn(shape, generator=generator) * 0.5 for key, shape in shapes.items()}
    common = {"d_in": D, "d_sae": FEATURES, "activation_fn_str": "relu", "activation_fn_kwargs": {}, "device": "cpu",
              "dtype": "torch.float32", "finetuning_scaling_factor": False, "context_size": 32, "model_name": "tiny",
              "prepend_bos": True, "dataset_path": "none", "apply_b_dec_to_input": True}  # fmt: skip

    older = {"hook_point": "blocks.1.hook_resid_pre", "hook_point_layer": 1, "hook_point_head_index": None}
    save_file(drawn() | {"scaling_factor": torch.ones(FEATURES)}, place("saelens_old") / "sae_weights.safetensors")
    write_json(place("saelens_old") / "cfg.json", common | older | {"normalize_activations": False})

    newer = {"architecture": "standard", "hook_name": "blocks.1.hook_resid_pre", "hook_layer": 1,
             "hook_head_index": None, "activation_fn_str": "topk", "activation_fn_kwargs": {"k": K},
             "normalize_activations": "none", "sae_lens_training_version": "4.0.0", "neuronpedia_id": None,
             "dataset_trust_remote_code": True}  # fmt: skip
    save_file(drawn(), place("saelens_old_topk") / "sae_weights.safetensors")
    write_json(place("saelens_old_topk") / "cfg.json", common | newer)


def write_json(file, told):
    file.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")


def write_sparsify(place):
    for name, told in {
        "sparsify_topk": {"num_latents": FEATURES},
        "sparsify_topk_expanded": {"num_latents": 0, "expansion_factor": 2},
        "sparsify_transcode_skip": {"num_latents": FEATURES, "transcode": True, "skip_connection": True},
    }.items():
        random(SparseCoder(D, SparseCoderConfig(k=K, **told)), name).save_to_disk(place(name))
        sort_keys(place(name) / "cfg.json")


def write_dictionary_learning(place, whole):
    """What `trainSAE` leaves after no step, of dictionaries that are random when it makes them."""
    common = {"activation_dim": D, "dict_size": FEATURES, "layer": 1, "lm_name": "tiny", "steps": 10, "warmup_steps": 1,
              "device": "cpu", "submodule_name": "resid_pre", "seed": 0}  # fmt: skip
    sparsity = {"sparsity_warmup_steps": 1}
    trainers = {
        "dl_standard": (standard.StandardTrainer, sparsity),
        "dl_standard_april": (standard.StandardTrainerAprilUpdate, sparsity),
        "dl_gated": (gdm.GatedSAETrainer, sparsity),
        "dl_jumprelu": (jumprelu.JumpReluTrainer, sparsity),
        "dl_topk": (top_k.TopKTrainer, {"k": K}),
        "dl_batchtopk": (batch_top_k.BatchTopKTrainer, {"k": K}),
        "dl_matryoshka": (matryoshka_batch_top_k.MatryoshkaBatchTopKTrainer, {"k": K, "group_fractions": [0.4, 0.6]}),
    }
    for name, (trainer, told) in trainers.items():

        def made(*given, kind=inspect.signature(trainer).parameters["dict_class"].default, name=name, **more):
            ae = random(kind(*given, **more), name)
            if name == "dl_standard":
                ae.decoder.weight.data /= ae.decoder.weight.data.norm(dim=0)
            if name in ("dl_topk", "dl_batchtopk", "dl_matryoshka"):
                ae.threshold.fill_(0.4)
            return ae

        written = whole / "written"
        config = {"trainer": trainer, "dict_class": made} | common | told
        trainSAE([], [config], steps=0, save_dir=str(written), device="cpu")
        for file in ("config.json", "ae.pt"):
            shutil.move(written / "trainer_0" / file, place(name) / file)
        shutil.rmtree(written)


def write_gemma(place):
    """Both spellings that SAELens reads."""
    for name, spelled in (("gemma_jumprelu", "W"), ("gemma_jumprelu_lower", "w")):
        generator = numbers(name)
        drawn = lambda *shape, generator=generator: (torch.randn(shape, generator=generator) * 0.5).numpy()
        arrays = {f"{spelled}_enc": drawn(D, FEATURES), f"{spelled}_dec": drawn(FEATURES, D), "b_enc": drawn(FEATURES),
                  "b_dec": drawn(D), "threshold": np.abs(drawn(FEATURES)) + np.float32(0.1)}  # fmt: skip
        np.savez(place(name) / "params.npz", **arrays)


class TopK(torch.nn.Module):
    """Has only what OpenAI's has in its state."""

    def state_dict(self):
        state = super().state_dict()
        state.update({"k": K, "postact_fn": "ReLU"})
        return state


def write_openai(place):
    """As `Autoencoder.state_dict` has it, less `activation.k` and `activation.postact_fn`, which its loader refuses."""
    for name, activation in (("openai_topk", TopK()), ("openai_relu", torch.nn.ReLU())):
        ae = torch.nn.Module()
        ae.pre_bias = torch.nn.Parameter(torch.zeros(D))
        ae.latent_bias = torch.nn.Parameter(torch.zeros(FEATURES))
        ae.register_buffer("stats_last_nonzero", torch.arange(FEATURES))
        ae.register_buffer("latents_activation_frequency", torch.ones(FEATURES))
        ae.register_buffer("latents_mean_square", torch.zeros(FEATURES))
        ae.encoder = torch.nn.Linear(D, FEATURES, bias=False)
        ae.decoder = torch.nn.Linear(FEATURES, D, bias=False)
        state = random(ae, name).state_dict()
        state["activation"] = type(activation).__name__
        state["activation_state_dict"] = activation.state_dict()
        torch.save(state, place(name) / "autoencoder.pt")


CENTRED = ("saelens_standard", "saelens_standard_layer_norm", "saelens_standard_f16", "saelens_topk",
           "saelens_topk_rescaled", "saelens_jumprelu", "saelens_gated", "saelens_batchtopk", "saelens_matryoshka",
           "saelens_old", "saelens_old_topk", "sparsify_topk", "sparsify_topk_expanded", "dl_standard",
           "dl_standard_april", "dl_gated", "dl_topk", "dl_batchtopk", "dl_matryoshka", "openai_topk",
           "openai_relu")  # fmt: skip
NORMED = ("saelens_standard_layer_norm", "openai_topk")
TOP_K = ("saelens_topk", "saelens_topk_rescaled", "saelens_old_topk", "sparsify_topk", "sparsify_topk_expanded",
         "sparsify_transcode_skip", "dl_topk", "openai_topk")  # fmt: skip


def by_formula(name, w, x):
    """Code and reconstruction from the weights as they are used."""
    source, mu, std = x, 0, 1
    if name in NORMED:
        mu, std = x.mean(1, keepdims=True), x.std(1, keepdims=True, ddof=1)
        x = (x - mu) / (std + 1e-5)
    pre = (x - w["b_dec"] if name in CENTRED else x) @ w["W_enc"]
    norms = np.linalg.norm(w["W_dec"], axis=1) if name == "saelens_topk_rescaled" else 1
    if "b_gate" in w:
        code = (pre + w["b_gate"] > 0) * np.maximum(pre * np.exp(w["r_mag"]) + w["b_mag"], 0)
    else:
        pre = (pre + w["b_enc"]) * norms
        code = np.maximum(pre, 0)
        if name in TOP_K:
            code *= pre >= np.sort(pre, axis=1)[:, -K, None]
        elif "threshold" in w:
            code *= pre > w["threshold"]
    rebuilt = ((code / norms) @ w["W_dec"] + w["b_dec"]) * std + mu
    return code, rebuilt + source @ w["W_skip"] if "W_skip" in w else rebuilt


def expect(whole):
    x = torch.randn(ROWS, D, generator=numbers("x")) + 0.3
    expected = {"x": x}
    for folder in sorted(path for path in whole.iterdir() if path.is_dir()):
        name = folder.name
        weights = {key: value.detach() for key, value in load(folder).weights.items()}
        code, rebuilt = code_and_rebuilt(folder, x)
        formula = by_formula(name, {key: value.numpy() for key, value in weights.items()}, x.double().numpy())
        for told in (map(torch.from_numpy, formula), code_and_rebuilt(folder, x, torch.float32)):
            differences = [difference(a, b) for a, b in zip(told, (code, rebuilt), strict=True)]
            assert max(differences) < 1e-6, (name, differences)
        active = (code > 0).float().mean()
        assert 0.1 < active < 0.9, (name, active)
        for key, value in (weights | {"code": code, "rebuilt": rebuilt}).items():
            expected[f"{name}.{key}"] = value.float().contiguous()
    save_file(expected, whole / "expected.safetensors")


def main(whole):
    def place(name):
        (whole / name).mkdir(parents=True, exist_ok=True)
        return whole / name

    write_saelens(place)
    write_old_saelens(place)
    write_sparsify(place)
    write_dictionary_learning(place, whole)
    write_gemma(place)
    write_openai(place)
    expect(whole)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
