"""Loads dictionaries with the peers' own loaders: `python dictionary_loads.py FOLDER EXPECTED.safetensors`.

Each subfolder of FOLDER is one dictionary; what loads it follows from the start of its name: `saelens_` SAELens,
`sparsify_` EleutherAI's sparsify, `dl_` dictionary_learning, `gemma_` SAELens' reader of Gemma Scope. `openai_` has
no installable package, its two formulas are here. EXPECTED holds `x` and, for each subfolder, `<name>.code` and
`<name>.rebuilt`. The peers run in float64. One line per dictionary: the largest differences of code and of
reconstruction over the largest absolute value; exit status 1 where one is above 1e-6.
"""

import contextlib
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import sae_lens.loading.pretrained_sae_loaders as pretrained
import torch
from dictionary_learning.trainers.top_k import AutoEncoderTopK
from dictionary_learning.utils import load_dictionary
from sae_lens import SAE
from safetensors.torch import load_file
from sparsify import sparse_coder
from sparsify.utils import eager_decode

LARGEST = 1e-6

warnings.filterwarnings("ignore")
sparse_coder.decoder_impl = eager_decode  # the other one is a GPU kernel


def named(module, *names):
    return {name: getattr(module, name) for name in names if getattr(module, name, None) is not None}


def of_sae(sae):
    """A loaded SAELens dictionary; its forward pass, unlike `decode`, has the skip connection of a transcoder."""
    weights = named(sae, "W_enc", "W_dec", "b_enc", "b_dec", "threshold", "b_gate", "b_mag", "r_mag")
    if hasattr(sae, "W_skip"):
        weights["W_skip"] = sae.W_skip.T
    return SimpleNamespace(run=lambda x: (sae.encode(x), sae(x)), weights=weights)


def saelens(folder, dtype):
    return of_sae(SAE.load_from_disk(folder, dtype=str(dtype).removeprefix("torch.")))


def gemma(folder, dtype):
    """SAELens reads Gemma Scope only from the hub: here its download is answered with the file, its widths are told."""

    def from_folder(path, device, cfg_overrides):
        with pretrained.np.load(Path(path) / "params.npz") as arrays:
            d_in, d_sae = next(arrays[name].shape for name in arrays if name.lower() == "w_enc")
        pretrained.hf_hub_download = lambda **_: str(Path(path) / "params.npz")
        place = ("google/gemma-scope-2b-pt-res", "layer_0/width_16k/average_l0_1", device)
        told = cfg_overrides | {"d_in": d_in, "d_sae": d_sae}
        return pretrained.gemma_2_sae_huggingface_loader(*place, cfg_overrides=told)[:2]

    return of_sae(SAE.load_from_disk(folder, dtype=str(dtype).removeprefix("torch."), converter=from_folder))


def sparsify(folder, dtype):
    coder = sparse_coder.SparseCoder.load_from_disk(folder).to(dtype)

    def run(x):
        out = coder(x)
        code = torch.zeros(len(x), coder.num_latents, dtype=x.dtype)
        return code.scatter(1, out.latent_indices, out.latent_acts), out.sae_out

    weights = {"W_enc": coder.encoder.weight.T, "b_enc": coder.encoder.bias} | named(coder, "W_dec", "b_dec")
    if coder.W_skip is not None:
        weights["W_skip"] = coder.W_skip.T
    return SimpleNamespace(run=run, weights=weights)


def dictionary_learning(folder, dtype):
    """`load_dictionary` makes an `AutoEncoder`'s decoder unit norm; BatchTopK and Matryoshka encode by threshold."""
    with contextlib.redirect_stdout(sys.stderr):
        ae = load_dictionary(str(folder), "cpu")[0].to(dtype)
    weights = named(ae, "W_enc", "W_dec", "b_enc", "b_dec", "r_mag")
    if hasattr(ae, "threshold") and not isinstance(ae, AutoEncoderTopK):  # which has one and encodes by the largest k
        weights["threshold"] = ae.threshold.expand(ae.dict_size)
    if hasattr(ae, "encoder"):
        weights |= {"W_enc": ae.encoder.weight.T, "W_dec": ae.decoder.weight.T} | named(ae.encoder, "bias")
        weights |= {"b_dec": ae.bias} if hasattr(ae, "bias") else {}
    ours = {"bias": "b_enc", "gate_bias": "b_gate", "mag_bias": "b_mag", "decoder_bias": "b_dec"}
    weights |= named(ae, "gate_bias", "mag_bias", "decoder_bias")
    weights = {ours.get(name, name): value for name, value in weights.items()}
    return SimpleNamespace(run=lambda x: (ae.encode(x), ae(x)), weights=weights)


def openai(folder, dtype):
    """The formulas of openai/sparse_autoencoder: TopK sees a layer-normed input and undoes that at the end."""
    state = torch.load(folder / "autoencoder.pt")
    p = {name: value.to(dtype) for name, value in state.items() if torch.is_tensor(value)}

    def run(x):
        mu, std = torch.zeros(len(x), 1, dtype=x.dtype), torch.ones(len(x), 1, dtype=x.dtype)
        if state["activation"] == "TopK":
            mu, std = x.mean(1, keepdim=True), x.std(1, keepdim=True)
            x = (x - mu) / (std + 1e-5)
        code = (x - p["pre_bias"]) @ p["encoder.weight"].T + p["latent_bias"]
        if state["activation"] == "TopK":
            kept = code.topk(state["activation_state_dict"]["k"])
            code = torch.zeros_like(code).scatter(1, kept.indices, kept.values)
        code = code.relu()
        return code, (code @ p["decoder.weight"].T + p["pre_bias"]) * std + mu

    weights = {"W_enc": p["encoder.weight"].T, "W_dec": p["decoder.weight"].T}
    return SimpleNamespace(run=run, weights=weights | {"b_enc": p["latent_bias"], "b_dec": p["pre_bias"]})


LOADERS = {"saelens": saelens, "gemma": gemma, "sparsify": sparsify, "dl": dictionary_learning, "openai": openai}


def load(folder, dtype=torch.float64):
    """What `run`s the dictionary of the folder, x to code and reconstruction, and its `weights` as they are used."""
    return LOADERS[folder.name.split("_")[0]](folder, dtype)


@torch.no_grad()
def code_and_rebuilt(folder, x, dtype=torch.float64):
    return load(folder, dtype).run(x.to(dtype))


def difference(ours, peers):
    assert ours.shape == peers.shape, (ours.shape, peers.shape)
    return ((ours.double() - peers).abs().max() / peers.abs().max()).item()


def main(folder, expected):
    told, failed = load_file(expected), False
    for place in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
        code, rebuilt = code_and_rebuilt(place, told["x"])
        of_code = difference(told[f"{place.name}.code"], code)
        of_rebuilt = difference(told[f"{place.name}.rebuilt"], rebuilt)
        failed |= not max(of_code, of_rebuilt) <= LARGEST
        print(f"{place.name:32} code {of_code:.1e}  rebuilt {of_rebuilt:.1e}")
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
