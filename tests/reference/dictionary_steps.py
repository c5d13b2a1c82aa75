"""Losses, gradients and optimiser steps of sparse autoencoders as their peers compute them: `python dictionary_steps.py
dictionary_steps.safetensors`, seconds on a CPU.

The peers are SAELens 6.54.12 (cases `sl_*`, with transformer-lens 3.9.0) and dictionary_learning 0.1.0 (cases `dl_*`),
on torch 2.15.0. Their own classes make every loss, and their own trainers make every step: `SAETrainer.step` and
`trainer.update`. Only the parameters are overwritten after construction. Everything runs twice, in float32 and in
float64; the two have to agree, and what float64 gives is stored, rounded to float32 except for scalars.
dictionary_learning imports nnsight for a buffer that is not used here; a stand-in takes its place.

What the file holds. The inputs are `x`, `y`, `W_enc` [d, F], `b_enc`, `W_dec` [F, d] with rows of length 1,
`W_dec_free` with rows of other lengths, `b_dec`, `log_threshold`, `threshold` (its exponential, which is what the peers
hold: neither trains the logarithm), `b_gate`, `b_mag`, `r_mag`, `W_skip` [d_out, d_in]. All `sl_*` cases and `dl_april`
start from `W_dec_free`, under the name `W_dec`; other `dl_*` cases start from `W_dec`. For each case:
  `<case>.loss`, and `<case>.part.<name>` as the peer logs its parts;
  `<case>.grad.<param>`: the gradient of the loss, before projection and clipping;
  `<case>.adam.<param>`: the gradient that Adam took in the first step, after projection and clipping (from its first
    moment, divided by 1 - beta1);
  `<case>.after.<param>`: after one step on x; for transcoders from x to y;
  `<case>.after3.<param>`: after three steps, on x, y and x; for transcoders from x to y, y to x and x to y;
  `<case>.dead` [F], 1 or 0: features marked dead before the first step; `<case>.dead_at_loss`: what `dl_*` still has as
    dead when it computes the auxiliary loss of that step;
  `<case>.after.threshold`, `<case>.after3.threshold`: the running threshold of (batch) top-k, from `start_threshold` of
    the settings; `<case>.first.threshold`: the same after one step if the start is -1, as `dl_*` has it.
Names and shapes are those of SAELens; what dictionary_learning stores in another layout is transposed. Settings are in
the file's metadata, a JSON text for each case. Warm-ups are off, so coefficients have their final values from the
start.

What all cases share. Errors are squared, summed over d and averaged over tokens. Adam has beta2 0.999, eps 1e-8, no
weight decay, rate 0.001. Clipping is `clip_grad_norm_(all parameters, 1.0)`: gradients are multiplied by min(1, 1 /
(norm + 1e-6)). b_dec is subtracted from the input of the encoder, except in `dl_jumprelu*` and in transcoders.

SAELens: order of a step is loss, clipping, Adam with beta1 0.9; no projection, no renormalisation. L1 weighs features
by the length of their decoder row, and that length is differentiated.
- sl_standard: l1 0.3.
- sl_topk, k 4: pre-activations are multiplied by the row's length before the selection, and activations are divided by
  it before decoding (`rescale_acts_by_decoder_norm`, their default); sl_topk_unscaled has that off. The selection is of
  pre-activations, ReLU follows it.
- sl_topk_aux (6 dead), sl_topk_aux_few (2 dead): the residual has no gradient; the k_aux = min(d // 2, dead) largest
  pre-activations of dead features, without ReLU, decode without b_dec to the residual; times min(1, dead / (d // 2))
  and `aux_loss_coefficient` 1. A feature that was dead before the step is dead in it, whether or not it fires.
- sl_batchtopk, k 4: the k * N largest of relu(pre-activations) over the batch. The threshold, at first 0, moves by 0.01
  towards the smallest positive activation, at each forward pass.
- sl_matryoshka, widths 4, 8, 16: one selection as in sl_batchtopk, the errors of the three prefixes are added up.
- sl_jumprelu: mode "step", l0 coefficient 0.5, bandwidth 0.2; the gradient goes to the threshold only. sl_jumprelu_ste
  sends it to pre-activations too. sl_jumprelu_quadratic: 2 / target (l0 - target)^2 for each token, target 3.
- sl_jumprelu_tanh: mode "tanh", scale 4, with the pre-activation loss, coefficient 0.01, which counts dead features
  only (6 here). sl_jumprelu_tanh_ste is the same with gradients to pre-activations.
- sl_gated, l1 0.3: nothing is stopped in the auxiliary reconstruction; its decoder and b_dec get gradients.
- sl_transcoder, sl_skip_transcoder: SAELens has no class that trains them. The forward is that of its `Transcoder` and
  `SkipTranscoder`, the error its `mse_loss` summed over d_out and averaged, the penalty that of its
  `StandardTrainingSAE` (l1 0.3), the step that of its `SAETrainer`.

dictionary_learning:
- dl_standard, l1 0.1: plain L1. `ConstrainedAdam`, beta1 0.9: projects the gradient of W_dec off its rows, steps,
  divides rows by their length. No clipping.
- dl_april, l1 0.1: L1 weighted by the rows' lengths (differentiated), rows free, clipping, Adam with beta1 0.9.
- dl_topk, dl_batchtopk, dl_matryoshka, dl_jumprelu: projection with row / (length + 1e-6), then clipping, then Adam,
  then rows divided by (length + eps of the type). beta1 is 0.9, for JumpReLU 0.
- dl_topk, k 4: ReLU comes before the selection. What is selected counts as having fired, even at 0 (never so on x).
- dl_topk_aux: dead are features whose count of tokens reached 10000000 and which do not fire in this very batch; relu
  activations of the k_aux = min(d // 2, dead) largest decode without b_dec to the residual (no gradient), error divided
  by the residual's variance (summed over d, about its mean over the batch), times 1/32.
- threshold: dl_topk takes the mean over tokens of the smallest positive activation, dl_batchtopk and dl_matryoshka the
  smallest in the batch; 0.999 old + 0.001 new, or new at once where old is negative. Updated inside the loss.
- dl_matryoshka, groups 4, 4, 8 (widths 4, 8, 16): errors weighted by 1/3 each and then averaged, so 1/9 each.
- dl_jumprelu, bandwidth 0.1, dl_jumprelu_wide, bandwidth 0.2; penalty 1, target 3: penalty (l0 / target - 1)^2 with l0
  the mean over the batch. The step function's surrogate is taken at activations after the jump, not at pre-activations:
  what is below its threshold counts as 0, so only the window's upper half has a gradient, and all inactive entries do
  where the threshold is below half the bandwidth (as for some in dl_jumprelu_wide).
- dl_gated, l1 0.1: plain L1 of the relu'd gate; the auxiliary reconstruction has no gradient to W_dec and to its b_dec
  (the b_dec that is subtracted before encoding has one). `ConstrainedAdam` as above with beta1 0.

`metrics.*` are what `get_sparsity_and_variance_metrics` of `sae_lens/evals.py` gives for sl_topk at its start, with x
as one prompt of 32 tokens and a stand-in for the model that hands x out. Activations there are the scaled ones.
"""

import json
import sys
import types
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

with suppress(ImportError):
    import nnsight  # noqa: F401
if "nnsight" not in sys.modules:
    sys.modules["nnsight"] = types.SimpleNamespace(LanguageModel=None)

import sae_lens.saes as sl
from dictionary_learning import trainers as dl
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKTrainer
from dictionary_learning.trainers.standard import StandardTrainerAprilUpdate
from sae_lens.config import SAETrainerConfig
from sae_lens.evals import get_sparsity_and_variance_metrics
from sae_lens.saes.sae import TrainStepInput, TrainStepOutput, mse_loss
from sae_lens.saes.transcoder import SkipTranscoder, SkipTranscoderConfig, Transcoder, TranscoderConfig
from sae_lens.training.activation_scaler import ActivationScaler
from sae_lens.training.sae_trainer import SAETrainer

D, F, N, K, RATE, SEED = 8, 16, 32, 4, 1e-3, 3797  # this seed keeps all choices, thresholds and windows 3e-4 from a tie
QUIET = [1, 4, 6, 9, 11, 14]  # features with small encoders, which some cases mark dead
UNUSED = {"metadata", "dtype", "device", "decoder_init_norm", "jumprelu_init_threshold"}  # or overwritten
DEAD_AFTER = 10_000_000  # tokens, fixed in dictionary_learning
TOLERANCE = 2e-6


def inputs(seed=SEED):
    draw = np.random.default_rng(seed).standard_normal
    x = draw((N, D)) @ (0.5 * draw((D, D))) / 2 + 0.5 * draw(D)
    unit = draw((F, D))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    encoder = 0.7 * unit.T + 0.2 * draw((D, F))
    encoder[:, QUIET] *= 0.4
    lengths = np.random.default_rng(seed).permutation(np.linspace(0.6, 1.6, F))
    log_threshold = np.log(np.random.default_rng(seed + 1).permutation(np.linspace(0.055, 0.3, F)))
    values = {
        "x": x, "y": x @ (0.4 * draw((D, D))) + 0.2 * draw((N, D)) + 0.3 * draw(D),
        "W_enc": encoder, "b_enc": 0.1 * draw(F), "W_dec": unit, "W_dec_free": unit * lengths[:, None],
        "b_dec": 0.2 * draw(D), "log_threshold": log_threshold, "b_gate": 0.1 * draw(F), "b_mag": 0.1 * draw(F),
        "r_mag": 0.2 * draw(F), "W_skip": 0.2 * draw((D, D)),
    }  # fmt: skip
    values = {name: value.astype(np.float32) for name, value in values.items()}
    return values | {"threshold": np.exp(values["log_threshold"])}


def mask(features):
    return np.isin(np.arange(F), features).astype(np.float32)


class Trained:
    """A transcoder with what `SAETrainer` asks of a class that it trains."""

    def get_coefficients(self):
        return {"l1": self.cfg.l1_coefficient}

    def training_forward_pass(self, step_input):
        out, acts = self.forward_with_activations(step_input.sae_in)
        losses = {"mse_loss": mse_loss(out, self.target).sum(-1).mean()}
        losses |= sl.StandardTrainingSAE.calculate_aux_loss(self, step_input, acts, acts, out)
        return TrainStepOutput(step_input.sae_in, out, acts, acts, sum(losses.values()), losses)


class TrainedTranscoder(Trained, Transcoder):
    pass


class TrainedSkipTranscoder(Trained, SkipTranscoder):
    pass


class Lens:
    """One dictionary of SAELens with its trainer."""

    def __init__(self, values, dtype, kind, config, settings, dead=()):
        own = {name: value for name, value in settings.items() if name in config.__dataclass_fields__}
        config = config(d_in=D, d_sae=F, dtype=str(dtype).removeprefix("torch."), device="cpu", **own)
        for name, value in settings.items():
            setattr(config, name, value)
        self.sae, self.dead, self.running = kind(config), mask(dead), hasattr(kind, "update_topk_threshold")
        for name, parameter in self.sae.named_parameters():
            value = values["W_dec_free" if name == "W_dec" else name]
            parameter.data = torch.tensor(value, dtype=dtype)
        told = SAETrainerConfig(total_training_samples=1000 * N, train_batch_size_samples=N, lr=RATE, lr_end=RATE)
        self.trainer = SAETrainer(told, self.sae, iter(()))
        self.trainer.n_forward_passes_since_fired[self.dead > 0] = told.dead_feature_window + 1
        self.optimizer = self.trainer.optimizer

    def named(self, read):
        return {name: read(parameter) for name, parameter in self.sae.named_parameters()}

    def loss(self, x, y):
        self.sae.target = y
        told = TrainStepInput(x, self.trainer.get_coefficients(), self.trainer.dead_neurons, 0, False)
        given = self.sae.training_forward_pass(told)
        return given.loss, {name: value.item() for name, value in given.losses.items()}

    def step(self, number, x, y):
        self.sae.target = y
        self.trainer.step(x)

    def threshold(self):
        return float(self.sae.topk_threshold)


class Learning:
    """One trainer of dictionary_learning."""

    names = {"bias": "b_dec", "decoder_bias": "b_dec", "encoder.weight": "W_enc", "encoder.bias": "b_enc",
             "decoder.weight": "W_dec", "gate_bias": "b_gate", "mag_bias": "b_mag"}  # fmt: skip

    def __init__(self, values, dtype, kind, settings, dead=(), start_threshold=0.1):
        self.trainer = kind(steps=1000, activation_dim=D, dict_size=F, layer=0, lm_name="none", lr=RATE, warmup_steps=0,
                            device="cpu", **settings)  # fmt: skip
        self.ae, self.optimizer = self.trainer.ae.to(dtype), self.trainer.optimizer
        self.dead, self.running = mask(dead), hasattr(self.trainer, "update_threshold")
        for (name, parameter), told in zip(self.ae.named_parameters(), self.named(lambda p: p), strict=True):
            free = told == "W_dec" and kind is StandardTrainerAprilUpdate
            value = torch.tensor(values["W_dec_free" if free else told], dtype=dtype)
            parameter.data = value.T.contiguous() if name.endswith("coder.weight") else value
        if self.running:
            self.ae.threshold.fill_(start_threshold)
        if len(dead):
            self.trainer.num_tokens_since_fired[self.dead > 0] = DEAD_AFTER

    def named(self, read):
        found = {}
        for name, parameter in self.ae.named_parameters():
            value = read(parameter)
            found[self.names.get(name, name)] = value.T if name.endswith("coder.weight") else value
        return found

    def loss(self, x, y):
        fresh = self.trainer.loss(x, step=1, logging=True)
        parts = dict(fresh.losses)
        parts.pop("loss")
        return parts

    def step(self, number, x, y):
        self.trainer.update(number, x)

    def threshold(self):
        return float(self.ae.threshold)


OFF = {"sparsity_warmup_steps": 0}
RUNNING = {"threshold_start_step": 0}
TOPK = {"k": K} | RUNNING
JUMPED = {"sparsity_penalty": 1.0, "target_l0": 3.0} | OFF
TANH = {"jumprelu_sparsity_loss_mode": "tanh", "l0_coefficient": 0.5, "jumprelu_tanh_scale": 4.0,
        "jumprelu_bandwidth": 0.2, "pre_act_loss_coefficient": 0.01}  # fmt: skip
STEP = {"jumprelu_sparsity_loss_mode": "step", "l0_coefficient": 0.5, "jumprelu_bandwidth": 0.2}
QUADRATIC = STEP | {"jumprelu_sparsity_loss_mode": "quadratic", "target_l0": 3.0}
STE = {"jumprelu_ste_to_input": True}
ACROSS = {"apply_b_dec_to_input": False, "d_out": D, "l1_coefficient": 0.3, "lp_norm": 1.0}
STANDARD = sl.StandardTrainingSAE, sl.StandardTrainingSAEConfig
TOP = sl.TopKTrainingSAE, sl.TopKTrainingSAEConfig
JUMP = sl.JumpReLUTrainingSAE, sl.JumpReLUTrainingSAEConfig
WIDTHS = {"k": K, "matryoshka_widths": [4, 8, 16]}
CASES = {
    "dl_standard": (Learning, dl.StandardTrainer, {"l1_penalty": 0.1} | OFF),
    "dl_april": (Learning, StandardTrainerAprilUpdate, {"l1_penalty": 0.1} | OFF),
    "dl_topk": (Learning, dl.TopKTrainer, TOPK),
    "dl_topk_aux": (Learning, dl.TopKTrainer, TOPK | {"auxk_alpha": 1 / 32}, QUIET),
    "dl_batchtopk": (Learning, dl.BatchTopKTrainer, TOPK),
    "dl_matryoshka": (Learning, MatryoshkaBatchTopKTrainer, TOPK | {"group_fractions": [0.25, 0.25, 0.5]}),
    "dl_jumprelu": (Learning, dl.JumpReluTrainer, JUMPED | {"bandwidth": 0.1}),
    "dl_jumprelu_wide": (Learning, dl.JumpReluTrainer, JUMPED | {"bandwidth": 0.2}),
    "dl_gated": (Learning, dl.GatedSAETrainer, {"l1_penalty": 0.1} | OFF),
    "sl_standard": (Lens, *STANDARD, {"l1_coefficient": 0.3}),
    "sl_topk": (Lens, *TOP, {"k": K}),
    "sl_topk_unscaled": (Lens, *TOP, {"k": K, "rescale_acts_by_decoder_norm": False}),
    "sl_topk_aux": (Lens, *TOP, {"k": K, "aux_loss_coefficient": 1.0}, QUIET),
    "sl_topk_aux_few": (Lens, *TOP, {"k": K, "aux_loss_coefficient": 1.0}, QUIET[:2]),
    "sl_batchtopk": (Lens, sl.BatchTopKTrainingSAE, sl.BatchTopKTrainingSAEConfig, {"k": K, "topk_threshold_lr": 0.01}),
    "sl_matryoshka": (Lens, sl.MatryoshkaBatchTopKTrainingSAE, sl.MatryoshkaBatchTopKTrainingSAEConfig, WIDTHS),
    "sl_jumprelu": (Lens, *JUMP, STEP),
    "sl_jumprelu_ste": (Lens, *JUMP, STEP | STE),
    "sl_jumprelu_quadratic": (Lens, *JUMP, QUADRATIC),
    "sl_jumprelu_tanh": (Lens, *JUMP, TANH, QUIET),
    "sl_jumprelu_tanh_ste": (Lens, *JUMP, TANH | STE, QUIET),
    "sl_gated": (Lens, sl.GatedTrainingSAE, sl.GatedTrainingSAEConfig, {"l1_coefficient": 0.3}),
    "sl_transcoder": (Lens, TrainedTranscoder, TranscoderConfig, ACROSS),
    "sl_skip_transcoder": (Lens, TrainedSkipTranscoder, SkipTranscoderConfig, ACROSS),
}  # fmt: skip


def run_case(values, dtype, case):
    library, *told = case
    x, y = (torch.tensor(values[name], dtype=dtype) for name in ("x", "y"))
    found, numbers = {}, {}
    plain = lambda tensor: tensor.detach().double().numpy().copy()

    if library is Lens:
        peer = Lens(values, dtype, *told)
        loss, parts = peer.loss(x, y)
    else:
        parts = Learning(values, dtype, *told).loss(x, y)
        peer = Learning(values, dtype, *told)
        loss = peer.trainer.loss(x, step=1)
        if peer.dead.any():
            found["dead_at_loss"] = (peer.trainer.num_tokens_since_fired >= DEAD_AFTER).double().numpy()
    if peer.dead.any():
        found["dead"] = peer.dead.astype(np.float64)
    loss.backward()
    found |= {f"grad.{name}": value for name, value in peer.named(lambda p: plain(p.grad)).items()}
    numbers |= {"loss": float(loss.detach())} | {f"part.{name}": value for name, value in parts.items()}

    peer = library(values, dtype, *told)
    beta1 = peer.optimizer.param_groups[0]["betas"][0]
    for number, (taken, wanted) in enumerate(((x, y), (y, x), (x, y)), 1):
        peer.step(number, taken, wanted)
        if number == 1:
            moment = peer.named(lambda p: plain(peer.optimizer.state[p]["exp_avg"]) / (1 - beta1))
            found |= {f"adam.{name}": value for name, value in moment.items()}
        if number != 2:
            when = "after" if number == 1 else "after3"
            found |= {f"{when}.{name}": value for name, value in peer.named(plain).items()}
            numbers |= {f"{when}.threshold": peer.threshold()} if peer.running else {}
    if library is Learning and peer.running:
        first = Learning(values, dtype, *told, start_threshold=-1.0)
        first.step(1, x, y)
        numbers["first.threshold"] = first.threshold()
    return found, numbers, peer


def settings(peer, case):
    library, kind, *told = case
    group = peer.optimizer.param_groups[0]
    known = {"class": kind.__name__, "lr": group["lr"], "betas": list(group["betas"]), "eps": group["eps"]}
    clips = library is Lens or kind not in (dl.StandardTrainer, dl.GatedSAETrainer)
    known |= {"clip": 1.0 if clips else None} | told[0 if library is Learning else 1]
    if library is Learning and peer.running:
        known |= {"start_threshold": 0.1, "threshold_beta": peer.trainer.threshold_beta}
        known |= {"auxk_alpha": peer.trainer.auxk_alpha, "top_k_aux": peer.trainer.top_k_aux}
        known |= {"group_weights": peer.trainer.group_weights} if hasattr(peer.trainer, "group_weights") else {}
    if library is Lens:
        fields = set(peer.sae.cfg.__dataclass_fields__) - UNUSED
        known |= {name: getattr(peer.sae.cfg, name) for name in sorted(fields)}
        known |= {"start_threshold": 0.0} if peer.running else {}
    return known


def metrics(values, dtype):
    sae = Lens(values, dtype, *TOP, {"k": K}).sae
    sae.cfg.metadata.hook_name = "blocks.0.hook_resid_pre"
    x = torch.tensor(values["x"], dtype=dtype)[None]
    model = types.SimpleNamespace(run_with_cache=lambda *_, **__: (None, {sae.cfg.metadata.hook_name: x}))
    store = types.SimpleNamespace(get_batch_tokens=lambda _: torch.zeros(1, N, dtype=torch.long))
    wanted = {f"compute_{name}": True for name in ("l2_norms", "sparsity_metrics", "variance_metrics")}
    with torch.no_grad():
        found, _ = get_sparsity_and_variance_metrics(
            sae, model, store, ActivationScaler(), 1, compute_featurewise_density_statistics=False,
            eval_batch_size_prompts=1, model_kwargs={}, **wanted)  # fmt: skip
    return found


def run(values, dtype):
    tensors, numbers, told = {}, {}, {}
    for name, case in CASES.items():
        found, counted, peer = run_case(values, dtype, case)
        tensors |= {f"{name}.{key}": value for key, value in found.items()}
        numbers |= {f"{name}.{key}": value for key, value in counted.items()}
        told[name] = json.dumps(settings(peer, case))
    numbers |= {f"metrics.{name}": value for name, value in metrics(values, dtype).items()}
    return tensors, numbers, told


def write(stored, told, path):
    """With the metadata in order, so that a second run writes the same bytes."""
    file = save(stored, told)
    length = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    Path(path).write_bytes(file[:8] + text.ljust(length) + file[8 + length :])


def worst(values):
    """The largest difference between float32 and float64, relative to the tensor's largest entry."""
    (tensors, numbers, told), (low, low_numbers, _) = run(values, torch.float64), run(values, torch.float32)
    differences = {name: np.abs(low_numbers[name] - value) / max(abs(value), 1e-3) for name, value in numbers.items()}
    for name, value in tensors.items():
        differences[name] = np.abs(low[name] - value).max() / max(np.abs(value).max(), 1e-6)
    name = max(differences, key=differences.get)
    return tensors, numbers, told, name, differences[name]


if __name__ == "__main__":
    values = inputs()
    tensors, numbers, told, name, difference = worst(values)
    assert difference < TOLERANCE, (name, difference)
    stored = dict(values) | {name: np.ascontiguousarray(value, np.float32) for name, value in tensors.items()}
    stored |= {name: np.array([value], np.float64) for name, value in numbers.items()}
    write(stored, told, sys.argv[1])
    print(f"{len(CASES)} cases, {len(stored)} tensors, float32 and float64 differ by {difference:.1e} at {name}")
