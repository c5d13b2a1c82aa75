"""One transformer in float64 NumPy, whose block is described by a `Plan`, with every site recorded on the way.

Weights come in one layout whatever the checkpoint was (`unpack.py` makes it): matrices multiply from the right,
heads lie one after the other. Sites have TransformerLens' names, with the conventions of README.md. Never reads a
file.
"""

from dataclasses import dataclass, field
from typing import Callable, Optional

import numpy as np

import numerics as n


@dataclass
class Plan:
    heads: int
    kv_heads: int
    scale: float
    eps: float = 1e-5
    norm: Optional[str] = "layer"  # "layer", "rms" or None
    residual: str = "serial"  # "serial", "parallel" (two norms), "shared" (one norm), "post" (BERT)
    activation: str = "gelu_new"
    rotary: Optional[n.Rotary] = None
    bias: Optional[str] = None  # "alibi" or "t5"
    furthest: int = 128  # of the T5 bias
    causal: bool = True
    windows: tuple = ()  # one for each layer, None for no window; empty for none at all
    positions: Optional[str] = None  # "added" to the residual stream, or "query_key" inputs
    edit: Callable = field(default=lambda name, value: value)  # replaces sites, for patching


class Run:
    """One forward pass: the plan, the weights, what was told, and the sites so far."""

    def __init__(self, plan, weights, tokens, ids, keep):
        self.plan, self.weights, self.sites = plan, weights, {}
        self.tokens, self.ids, self.keep = tokens, ids, keep

    def note(self, name, value):
        value = self.plan.edit(name, value)
        self.sites[name] = value
        return value

    def norm(self, name, x, parameters):
        if self.plan.norm is None:
            return x
        normal, scale = n.normalise(self.plan.norm, x, self.plan.eps)
        self.note(f"{name}.hook_scale", scale)
        self.note(f"{name}.hook_normalized", normal)
        gain, shift = parameters
        return self.note(f"{name}.hook_out", normal * gain + (0.0 if shift is None else shift))


def apply(x, matrix, shift):
    out = x @ matrix
    return out if shift is None else out + shift


def bias_on_scores(run):
    """[1 or batch, head, qpos, kpos] that is added to the scaled scores."""
    plan, length = run.plan, run.tokens.shape[1]
    if plan.bias == "alibi":
        # As BLOOM has it: slope times the key's number among the tokens that are kept.
        number = (np.cumsum(run.keep, -1) - 1) * run.keep
        return n.alibi_slopes(plan.heads)[None, :, None, None] * number[:, None, None, :]
    if plan.bias == "t5":
        return n.t5_bias(run.weights["relative"], length, not plan.causal, plan.furthest)[None]
    return 0.0


def attention(run, layer, into_qk, into_v):
    plan, w = run.plan, run.weights["layers"][layer]
    at = f"blocks.{layer}.attn."
    split = lambda x, heads: x.reshape(*x.shape[:2], heads, -1)
    q = run.note(at + "hook_q", split(apply(into_qk, w["W_Q"], w["b_Q"]), plan.heads))
    k = run.note(at + "hook_k", split(apply(into_qk, w["W_K"], w["b_K"]), plan.kv_heads))
    v = run.note(at + "hook_v", split(apply(into_v, w["W_V"], w["b_V"]), plan.kv_heads))
    if plan.rotary:
        q = run.note(at + "hook_rot_q", plan.rotary.turn(q, run.ids))
        k = run.note(at + "hook_rot_k", plan.rotary.turn(k, run.ids))
    group = plan.heads // plan.kv_heads
    k, v = np.repeat(k, group, 2), np.repeat(v, group, 2)
    scores = np.einsum("bqhd,bkhd->bhqk", q, k) * plan.scale + bias_on_scores(run)
    scores = run.note(at + "hook_attn_scores", scores)
    window = plan.windows[layer] if plan.windows else None
    seen = n.visible(run.tokens.shape[1], plan.causal, window, run.keep)[:, None]
    pattern = run.note(at + "hook_pattern", n.softmax(scores, seen))
    z = run.note(at + "hook_z", np.einsum("bhqk,bkhd->bqhd", pattern, v))
    out = apply(z.reshape(*z.shape[:2], -1), w["W_O"], w["b_O"])
    return run.note(f"blocks.{layer}.hook_attn_out", out)


def mlp(run, layer, x):
    w, at = run.weights["layers"][layer], f"blocks.{layer}.mlp."
    act = n.ACTIVATIONS[run.plan.activation]
    if "W_gate" in w:
        pre = run.note(at + "hook_pre", apply(x, w["W_gate"], None))
        linear = run.note(at + "hook_pre_linear", apply(x, w["W_in"], w["b_in"]))
        post = run.note(at + "hook_post", act(pre) * linear)
    else:
        pre = run.note(at + "hook_pre", apply(x, w["W_in"], w["b_in"]))
        post = run.note(at + "hook_post", act(pre))
    return run.note(f"blocks.{layer}.hook_mlp_out", apply(post, w["W_out"], w["b_out"]))


def block(run, layer, x):
    plan, w, at = run.plan, run.weights["layers"][layer], f"blocks.{layer}."
    x = run.note(at + "hook_resid_pre", x)
    if plan.residual == "post":
        middle = run.note(at + "hook_resid_mid", x + attention(run, layer, x, x))
        middle = run.norm(at + "ln1", middle, w["ln1"])
        last = run.note(at + "hook_resid_post", middle + mlp(run, layer, middle))
        return run.note(at + "hook_normalized_resid_post", run.norm(at + "ln2", last, w["ln2"]))
    first = run.norm(at + "ln1", x, w.get("ln1"))
    into_qk = first + run.sites["hook_pos_embed"] if plan.positions == "query_key" else first
    attended = attention(run, layer, into_qk, first)
    if "W_in" not in w:
        return run.note(at + "hook_resid_post", x + attended)
    if plan.residual == "serial":
        middle = run.note(at + "hook_resid_mid", x + attended)
        return run.note(at + "hook_resid_post", middle + mlp(run, layer, run.norm(at + "ln2", middle, w["ln2"])))
    second = first if plan.residual == "shared" else run.norm(at + "ln2", x, w["ln2"])
    return run.note(at + "hook_resid_post", x + attended + mlp(run, layer, second))


def embed(run, types):
    w = run.weights
    x = w["embed"][run.tokens]
    if run.plan.residual == "post":
        x = run.note("hook_embed", x) + run.note("hook_pos_embed", w["positions"][run.ids])
        x = x + run.note("hook_token_type_embed", w["types"][types])
        return run.note("hook_full_embed", run.norm("embed.ln", x, w["embed_norm"]))
    if "embed_norm" in w:
        x = run.norm("embed.ln", x, w["embed_norm"])
    x = run.note("hook_embed", x)
    if run.plan.positions:
        placed = run.note("hook_pos_embed", w["positions"][run.ids])
        x = x + placed if run.plan.positions == "added" else x
    return x


def forward(plan, weights, tokens, ids=None, keep=None, types=None):
    """All sites of one run, by name, with `logits` (the last hidden state where there is no unembedding)."""
    ids = np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape) if ids is None else ids
    keep = np.ones(tokens.shape, np.int64) if keep is None else keep
    run = Run(plan, weights, tokens, ids, keep)
    x = embed(run, np.zeros_like(tokens) if types is None else types)
    for layer in range(len(weights["layers"])):
        x = block(run, layer, x)
    if weights.get("final") is not None:
        x = run.norm("ln_final", x, weights["final"])
    if weights.get("unembed") is not None:
        x = apply(x, weights["unembed"], weights.get("unembed_shift"))
    run.sites["logits"] = x
    return run.sites
