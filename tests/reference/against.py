"""Holds the float64 NumPy forward against `transformers` on the same files, site by site.

`transformers` runs in float64 with an attention function that records what it is given (queries and keys after
rotation) and what it makes; residual streams and branches come from module hooks. It keeps a few steps in float32
whatever the model's type (rotary angles, RMS statistics, some softmaxes), so agreement is to about 1e-6 and the NumPy
values are the ones that are stored. Never writes a file.
"""

import numpy as np
import torch
import transformers as hf
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

BLOCKS = {"gpt2": "transformer.h", "gptj": "transformer.h", "gpt_neo": "transformer.h", "bloom": "transformer.h",
          "gpt_neox": "gpt_neox.layers", "llama": "model.layers", "qwen2": "model.layers", "mistral": "model.layers",
          "bert": "encoder.layer", "t5": "encoder.block"}  # fmt: skip
TOLERANCE = 5e-6
_seen = []


def _recording_attention(module, query, key, value, attention_mask, scaling=None, position_bias=None, **_):
    group = query.shape[1] // key.shape[1]
    wide_key, wide_value = key.repeat_interleave(group, 1), value.repeat_interleave(group, 1)
    scores = query @ wide_key.transpose(2, 3) * scaling
    scores = scores if position_bias is None else scores + position_bias
    hidden = scores if attention_mask is None else scores + attention_mask
    pattern = torch.softmax(hidden, -1)
    z = (pattern @ wide_value).transpose(1, 2).contiguous()
    by_place = {"q": query.transpose(1, 2), "k": key.transpose(1, 2), "v": value.transpose(1, 2)}
    _seen.append(by_place | {"attn_scores": scores, "pattern": pattern, "z": z})
    return z, pattern


AttentionInterface.register("recording", _recording_attention)
AttentionMaskInterface.register("recording", eager_mask)


def load(kind, config, folder):
    own_attention = config["model_type"] in ("gpt_neo", "bloom")
    implementation = "eager" if own_attention else "recording"
    if config.get("model_type") == "t5" and config["is_decoder"]:
        return causal_t5(folder, implementation)
    return kind.from_pretrained(folder, dtype=torch.float64, attn_implementation=implementation).eval()


def causal_t5(folder, implementation):
    """The stack as `transformers` has it for decoders: its feed-forward is layer 2, its cross attention unused."""
    from safetensors.torch import load_file
    from transformers.models.t5.modeling_t5 import T5Stack

    config = hf.T5Config.from_pretrained(folder, attn_implementation=implementation)
    config.is_decoder, config.is_encoder_decoder, config.use_cache = True, False, False
    stack, state = T5Stack(config), {}
    for name, value in load_file(folder / "model.safetensors").items():
        name = name.removeprefix("encoder.").replace(".layer.1.", ".layer.2.")
        state["embed_tokens.weight" if name == "shared.weight" else name] = value
    left = stack.load_state_dict(state, strict=False)
    assert not left.unexpected_keys and all(".layer.1." in name for name in left.missing_keys), left
    wrapper = torch.nn.Module()
    wrapper.encoder = stack.double().eval()
    wrapper.forward = lambda **told: wrapper.encoder(**told)
    return wrapper


def first(value):
    return value[0] if isinstance(value, (tuple, list)) else value


def watch(model, config, found):
    """Hooks that put what modules take and give into `found`."""
    kind = config["model_type"]
    for l, block in enumerate(model.get_submodule(BLOCKS[kind])):
        def on_block(_, taken, given, l=l):
            found[f"blocks.{l}.hook_resid_pre"] = taken[0]
            found[f"blocks.{l}.hook_resid_post"] = first(given)
        if kind != "bert":
            block.register_forward_hook(on_block)
        for name, module in block.named_modules():
            short = name.rsplit(".", 1)[-1]
            site = {"q_proj": "attn.hook_q", "k_proj": "attn.hook_k", "v_proj": "attn.hook_v", "c_fc": "mlp.hook_pre",
                    "gate_proj": "mlp.hook_pre", "up_proj": "mlp.hook_pre_linear", "fc_in": "mlp.hook_pre",
                    "query": "attn.hook_q", "input_layernorm": "ln1.hook_out", "post_attention_layernorm": "ln2.hook_out",
                    "ln_1": "ln1.hook_out", "ln_2": "ln2.hook_out", "dense_h_to_4h": "mlp.hook_pre", "wi": "mlp.hook_pre",
                    "c_proj": "hook_attn_out" if "attn" in name else "hook_mlp_out", "down_proj": "hook_mlp_out",
                    "out_proj": "hook_attn_out", "o_proj": "hook_attn_out", "o": "hook_attn_out", "wo": "hook_mlp_out",
                    "wi_0": "mlp.hook_pre", "wi_1": "mlp.hook_pre_linear", "fc_out": "hook_mlp_out",
                    "attention": None}.get(short)  # fmt: skip
            if site:
                site = f"blocks.{l}.{site}"
                module.register_forward_hook(lambda _, __, given, site=site: found.__setitem__(site, first(given)))
            if short == "query_key_value":
                fused = lambda _, __, given, l=l: split_fused(given, l, model.config, found)
                module.register_forward_hook(fused)
            if kind in ("gpt_neo", "bloom") and short in ("attention", "self_attention"):
                keep = lambda _, __, given, l=l: found.__setitem__(f"blocks.{l}.attn.hook_pattern", given[1])
                module.register_forward_hook(keep)


def split_fused(given, layer, config, found):
    parts = given.reshape(*given.shape[:2], config.num_attention_heads, 3, -1)
    for n, name in enumerate("qkv"):
        found[f"blocks.{layer}.attn.hook_{name}"] = parts[..., n, :]


def run(kind, config, folder, tokens, ids, keep, types):
    """What `transformers` has, by our names: a subset of the sites, and `logits`."""
    model, found = load(kind, config, folder), {}
    watch(model, config, found)
    _seen.clear()
    # The mask is given even where nothing is masked: without one, told positions that jump are taken for packed documents.
    told = {"input_ids": torch.from_numpy(tokens), "attention_mask": torch.from_numpy(keep)}
    if config["model_type"] not in ("bloom", "t5"):
        told["position_ids"] = torch.from_numpy(np.ascontiguousarray(ids))
    if types is not None:
        told["token_type_ids"] = torch.from_numpy(types)
    with torch.no_grad():
        given = model(**told)
    turned = config["model_type"] in ("gpt_neox", "gptj", "llama", "qwen2", "mistral")
    for l, sites in enumerate(_seen):
        for name, value in sites.items():
            found[f"blocks.{l}.attn.hook_" + ("rot_" if turned and name in "qk" else "") + name] = value
    logits = given.logits if hasattr(given, "logits") else given.last_hidden_state
    return {name: value.numpy() for name, value in (found | {"logits": logits}).items()}


def difference(ours, theirs, where=None):
    ours = ours.reshape(theirs.shape)
    if where is not None:
        ours, theirs = ours[where], theirs[where]
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def compare(sites, theirs):
    """The largest difference, relative to the largest value of its site, and how many sites were compared."""
    worst, site = max((difference(sites[name], value), name) for name, value in theirs.items())
    assert worst < TOLERANCE, f"{site} differs by {worst:.2e}"
    return worst, site, len(theirs)
