"""The pieces of a transformer in float64 NumPy: norms, activations, rotary angles, biases on scores, masks, softmax.

Written from the definitions, with nothing taken from a model library, so that it can be held against one. Never
computes in float32 and never looks at a checkpoint.
"""

import math
from dataclasses import dataclass

import numpy as np

_erf = np.vectorize(math.erf, otypes=[np.float64])


def normalise(kind, x, eps):
    """(x without its mean for `layer`, divided by the scale; the scale [..., 1] itself)."""
    if kind == "layer":
        x = x - x.mean(-1, keepdims=True)
    scale = np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    return x / scale, scale


def gelu_erf(x):
    return 0.5 * x * (1.0 + _erf(x / math.sqrt(2.0)))


def gelu_tanh(x):
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def silu(x):
    return x / (1.0 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0.0)


ACTIVATIONS = {"gelu": gelu_erf, "gelu_new": gelu_tanh, "silu": silu, "relu": relu}


@dataclass
class Rotary:
    """The first `2 * len(frequencies)` dimensions of a head are turned; planes are (p, p + rd/2) or (2p, 2p + 1)."""

    frequencies: np.ndarray
    layout: str = "half"

    def turn(self, x, ids):
        """x [batch, pos, head, d_head] turned by ids [batch, pos] times the frequencies."""
        planes = len(self.frequencies)
        angle = ids.astype(np.float64)[:, :, None, None] * self.frequencies
        cos, sin = np.cos(angle), np.sin(angle)
        out = x.copy()
        if self.layout == "half":
            first, second = slice(0, planes), slice(planes, 2 * planes)
        else:
            first, second = slice(0, 2 * planes, 2), slice(1, 2 * planes, 2)
        out[..., first] = x[..., first] * cos - x[..., second] * sin
        out[..., second] = x[..., second] * cos + x[..., first] * sin
        return out


def frequencies(dims, base=10000.0):
    return float(base) ** (-np.arange(0, dims, 2, dtype=np.float64) / dims)


def llama3_frequencies(plain, factor, low, high, original):
    """Slow planes divided by the factor, fast ones kept, smooth between (wavelengths original/high to original/low)."""
    out = []
    for frequency in plain:
        turns = original * frequency / (2.0 * math.pi)
        share = min(1.0, max(0.0, (turns - low) / (high - low)))
        out.append((1.0 - share) * frequency / factor + share * frequency)
    return np.array(out)


def alibi_slopes(heads):
    whole = 2 ** int(math.floor(math.log2(heads)))
    slopes = [2.0 ** (-8.0 * (head + 1) / whole) for head in range(whole)]
    extra = [2.0 ** (-8.0 * (2 * n + 1) / (2 * whole)) for n in range(heads - whole)]
    return np.array(slopes + extra)


def t5_bucket(relative, bidirectional, buckets, furthest):
    """The row of the bias table for one distance, relative = key index - query index."""
    start = 0
    if bidirectional:
        buckets //= 2
        start = buckets if relative > 0 else 0
        distance = abs(relative)
    else:
        distance = max(-relative, 0)
    exact = buckets // 2
    if distance < exact:
        return start + distance
    step = math.floor(math.log(distance / exact) / math.log(furthest / exact) * (buckets - exact))
    return start + min(buckets - 1, exact + step)


def t5_bias(table, length, bidirectional, furthest):
    """table [buckets, head] -> [head, qpos, kpos]."""
    rows = [[t5_bucket(k - q, bidirectional, len(table), furthest) for k in range(length)] for q in range(length)]
    return np.moveaxis(table[np.array(rows)], -1, 0)


def visible(length, causal, window, keep):
    """[batch, qpos, kpos]: which keys a query sees. A window of w holds the token itself and w - 1 before it."""
    q, k = np.arange(length)[:, None], np.arange(length)[None, :]
    seen = np.ones((length, length), bool)
    if causal:
        seen &= k <= q
    if window:
        seen &= k > q - window
    return seen[None] & keep.astype(bool)[:, None, :]


def softmax(scores, seen):
    """Over the keys that are seen; a query that sees none has a pattern of zeros."""
    hidden = np.where(seen, scores, -np.inf)
    top = hidden.max(-1, keepdims=True)
    power = np.exp(hidden - np.where(np.isfinite(top), top, 0.0))
    total = power.sum(-1, keepdims=True)
    return power / np.where(total > 0, total, 1.0)


def next_token_loss(logits, tokens):
    """Mean over batch and positions of minus the log-probability of the next token, in nats."""
    top = logits.max(-1, keepdims=True)
    logs = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
    picked = np.take_along_axis(logs[:, :-1], tokens[:, 1:, None], -1)
    return float(-picked.mean())
