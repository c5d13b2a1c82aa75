"""Shares of position by head, independently of the language: writes `head_shares.safetensors`, data and results.

    python head_shares.py

Everything is computed from its definition, on whole arrays in 64 bits: two-way means over sequences and positions for the blocked
estimate, decoder rows through a LayerNorm with gains and a projection for the weights, and all of it once more without each of 20
groups for the jackknife. `head_shares.exp` compares at 1e-6.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

S, T, F, D, H, DH, G = 80, 12, 6, 7, 3, 2, 20
T19 = 2.093024054408263  # Student's t, 2.5%, 19 degrees of freedom


def blocked(a):
    """Share and variance of position for every column of a[sequence, position, ..]."""
    s, t = a.shape[:2]
    middle = a.mean((0, 1))
    by_pos = a.mean(0) - middle
    by_seq = a.mean(1) - middle
    rest = a - middle - by_pos[None] - by_seq[:, None]
    noise = (rest**2).sum((0, 1)) / ((s - 1) * (t - 1))
    all_ = ((a - middle) ** 2).sum((0, 1))
    return (s * (by_pos**2).sum(0) - (t - 1) * noise) / all_, all_ / (s * t)


def of_features(a, squared, live):
    pve, variance = blocked(a)
    weight = np.where(live[:, None], variance[:, None] * squared, 0.0)
    mixed = ((pve >= 0.05) & (pve <= 0.95)).astype(float)
    whole = weight.sum(0)
    return (weight * pve[:, None]).sum(0) / whole, (weight * mixed[:, None]).sum(0) / whole


def of_vectors(x):
    pve, variance = blocked(x)
    return (pve * variance).sum(-1) / variance.sum(-1)


def half_width(estimates):
    e = np.stack(estimates)
    return T19 * np.sqrt((G - 1) / G * ((e - e.mean(0)) ** 2).sum(0))


def main():
    rng = np.random.default_rng(20)
    group = rng.permutation(np.arange(S) % G)
    wave = np.sin(2 * np.pi * np.arange(T) / T)
    topic = rng.normal(size=(S, 1, F)) * np.array([0.0, 1.0, 0.3, 0.0, 2.0, 0.5])
    share = np.array([3.0, 0.0, 1.0, 0.6, 0.2, 1.5])
    a = np.maximum(share * wave[None, :, None] + topic + 0.5 * rng.normal(size=(S, T, F)), 0.0).astype(np.float32)
    rows = rng.normal(size=(F, D)).astype(np.float32)
    gain = rng.uniform(0.5, 2.0, size=D).astype(np.float32)
    W = rng.normal(size=(D, H, DH)).astype(np.float32)
    live = np.array([True, True, True, True, True, False])

    exact = [x.astype(np.float64) for x in (a, rows, gain, W)]
    a64, rows64, gain64, W64 = exact
    through = (rows64 - rows64.mean(1, keepdims=True)) * gain64
    slices = np.einsum("fd,dhc->fhc", through, W64)
    squared = (slices**2).sum(-1)
    pve, mixed = of_features(a64, squared, live)
    left = [of_features(a64[group != g], squared, live) for g in range(G)]
    q = np.einsum("stf,fhc->sthc", a64, slices).astype(np.float32)
    shares = of_vectors(q.astype(np.float64))
    found = {
        "a": a, "rows": rows, "gain": gain, "W": W, "group": group.astype(np.float32), "live": live.astype(np.float32), "q": q,
        "squared": squared, "pve": pve, "mixed": mixed, "share": shares,
        "pve_half_width": half_width([x for x, _ in left]), "mixed_half_width": half_width([x for _, x in left]),
        "share_half_width": half_width([of_vectors(q[group != g].astype(np.float64)) for g in range(G)]),
    }
    # Results go in two parts, the second what 32 bits leave of the first.
    stored = {}
    for name, x in found.items():
        stored[name] = np.ascontiguousarray(x, np.float32)
        if x.dtype == np.float64:
            stored[name + "_rest"] = np.ascontiguousarray(x - stored[name].astype(np.float64), np.float32)
    save_file(stored, Path(__file__).with_name("head_shares.safetensors"))
    print("pve", pve, "mixed", mixed, "share", shares)


if __name__ == "__main__":
    main()
