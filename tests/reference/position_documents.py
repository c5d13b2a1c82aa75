"""Shares of scores and of pairs of tokens where sequences share documents and keys are drawn, in NumPy. `python position_documents.py`
reads `told_position.safetensors` and `position_shares_data.safetensors` and writes `position_documents.safetensors`.

Scores: means of products over all pairs of sequences of different documents, one pair at a time; kernels by least squares on the design
of distances and rows. Pairs of tokens: a sample of tokens and keys is drawn here and stored; the moments of a key are means over all
pairs of its tokens from different groups, one pair at a time; the errors of the draw by the formulas of `std.posdecomp.pairs`.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

HERE = Path(__file__).parent


# ---- scores ------------------------------------------------------------------------------------------------------------


def kernel_part(n):
    """The projector, on matrices of n rows and columns laid flat, to what a kernel explains of row-centred entries below the diagonal."""
    rows, columns = np.tril_indices(n)
    kernel = np.zeros((len(rows), n))
    kernel[np.arange(len(rows)), rows - columns] = 1
    for i in range(n):
        kernel[rows == i] -= kernel[rows == i].mean(0)
    q, r = np.linalg.qr(kernel[:, 1:])
    return rows, columns, q @ q.T


def of_scores(parts, documents):
    """parts: way, sequence, head, query, key, without the first token; content_content first."""
    n = parts.shape[-1]
    rows, columns, explained = kernel_part(n)
    flat = parts[..., rows, columns]
    for i in range(n):
        flat[..., rows == i] -= flat[..., rows == i].mean(-1, keepdims=True)
    found = {name: [] for name in ["by_pair", "by_tau", "relative", "by_content", "tau_after_content"]}
    for head in range(parts.shape[2]):
        x, c = flat[:, :, head].sum(0), flat[0, :, head]
        different = [(i, j) for i in range(len(x)) for j in range(len(x)) if documents[i] != documents[j]]
        between = lambda u, v: np.mean([u[i] @ v[j] for i, j in different])
        v, xc, cc = (x * x).sum() / len(x), (x * c).sum() / len(x), (c * c).sum() / len(x)
        tau_xx, tau_xc, tau_cc = between(x, x @ explained), between(c, x @ explained), between(c, c @ explained)
        found["by_pair"].append(between(x, x) / v)
        found["by_tau"].append(tau_xx / v)
        found["relative"].append(tau_xx / between(x, x))
        found["by_content"].append(xc * xc / cc / v)
        found["tau_after_content"].append((tau_xx + (xc - tau_xc) ** 2 / (cc - tau_cc) - xc * xc / cc) / v)
    return found


# ---- pairs of tokens -----------------------------------------------------------------------------------------------------


def moment(d, group):
    """The mean of products over pairs from different groups, for deviations d of tokens by features."""
    pairs = [d[i] * d[j] for i in range(len(d)) for j in range(len(d)) if group[i] != group[j]]
    return np.mean(pairs, 0) if pairs else np.zeros(d.shape[1])


def ratio(weight, value):
    return (weight[:, None] * value).sum(0) / weight.sum()


def left_over(kept, everything):
    return kept / (kept - 1) * (1 - kept / everything)


def of_pairs(a, level, token, group, rng):
    """a: tokens by features; level -1 is not counted."""
    groups_of = {}
    for l, v, g in zip(level, token, group):
        if l >= 0:
            groups_of.setdefault((l, v), set()).add(g)
    admitted = np.array([l >= 0 and len(groups_of[l, v]) > 1 for l, v in zip(level, token)])
    tokens = sorted({v for v, ok in zip(token, admitted) if ok})
    kept = sorted(rng.choice(tokens, 9, replace=False).tolist())
    keys = sorted({(l, v) for l, v, ok in zip(level.tolist(), token.tolist(), admitted) if ok and v in kept})
    chosen = [keys[i] for i in sorted(rng.choice(len(keys), len(keys) // 2, replace=False))]
    word_id = np.array([kept.index(v) if ok and v in kept else -1 for v, ok in zip(token.tolist(), admitted)])
    key_id = np.array([chosen.index((l, v)) if ok and (l, v) in chosen else -1 for l, v, ok in zip(level.tolist(), token.tolist(), admitted)])
    d = a - a[admitted].mean(0)
    variance = (d[admitted] ** 2).mean(0)

    def of(ids):
        n = np.array([(ids == i).sum() for i in range(ids.max() + 1)], float)
        u = np.array([moment(d[ids == i], group[ids == i]) for i in range(ids.max() + 1)])
        several = np.array([len(set(group[ids == i])) > 1 for i in range(ids.max() + 1)])
        return np.where(several, n, 0.0), u

    n_at, u_at = of(np.where(admitted, level, -1))
    n_of, u_of = of(word_id)
    n_key, u_key = of(key_id)
    place_of, word_of = np.array([l for l, v in chosen]), np.array([kept.index(v) for l, v in chosen])
    apart = u_key - u_at[place_of] - u_of[word_of]
    position, by_token, both = ratio(n_at, u_at), ratio(n_of, u_of), ratio(n_key, apart)
    off_token, off_key = n_of[:, None] * (u_of - by_token), n_key[:, None] * (apart - both)
    by_word = np.array([off_key[word_of == w].sum(0) for w in range(len(kept))])
    words, drawn = left_over(len(kept), len(tokens)), len(kept) / len(tokens)
    e_token = 1.96 * np.sqrt(words * (off_token**2).sum(0)) / n_of.sum()
    e_both = 1.96 * np.sqrt(words * (by_word**2).sum(0) + drawn * left_over(len(chosen), len(keys)) * (off_key**2).sum(0)) / n_key.sum()
    results = {"position": position, "token": by_token, "interaction": both, "drawing_token": e_token, "drawing_interaction": e_both}
    ids = {"position_ids": np.where(admitted, level, -1), "token_ids": word_id, "key_ids": key_id, "place_of": place_of, "word_of": word_of}
    counts = np.array([len(tokens), len(keys)])
    return {k: v / variance for k, v in results.items()}, ids, counts


def main():
    parts = load_file(HERE / "told_position.safetensors")["parts"].astype(np.float64)[..., 1:, 1:]
    stored = {f"scores.{k}": np.array(v) for k, v in of_scores(parts, np.arange(parts.shape[1]) // 2).items()}
    data = load_file(HERE / "position_shares_data.safetensors")
    S, T = data["tokens"].shape
    a = data["a"].astype(np.float64).reshape(S * T, -1)
    level = np.where(data["counted"] > 0, np.arange(T) % 8, -1).ravel()
    found, ids, counts = of_pairs(a, level, data["tokens"].astype(int).ravel() % 30, np.repeat(data["group"].astype(int), T), np.random.default_rng(1))
    stored |= {f"pairs.{k}": v for k, v in found.items()} | ids | {"numbers_of_keys": counts}
    save_file({k: np.ascontiguousarray(v.astype(np.float32)) for k, v in stored.items()}, HERE / "position_documents.safetensors")
    print({k: (v.shape, v.ravel()[:4]) for k, v in stored.items()})


if __name__ == "__main__":
    main()
