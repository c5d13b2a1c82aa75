"""The statistics of position in NumPy, from their definitions, on `position_shares_data.safetensors`.

Shares no code and no formula in sums with the library: deviations are formed and multiplied pair by pair. Writes
`position_shares.safetensors`, a vector over the 12 features (float32) for each statistic, half widths under `half.` names.

    python position_shares.py
"""

import numpy as np
from safetensors.numpy import load_file, save_file

# Student's t, the points that 2.5% exceed, by degrees of freedom.
STUDENT = {18: 2.100922040240961, 19: 2.093024054408263}
data = load_file("position_shares_data.safetensors")
S, T, F = 24, 32, 12
A = data["a"].astype(np.float64).reshape(S, T, F)
TOKENS = data["tokens"].astype(int)
COUNTED = data["counted"] > 0
DOCUMENTS = data["documents"].astype(int)
GROUP = data["group"].astype(int)
SHIFT = data["shift"].astype(int)
ENDS = (14, 12, 27)
INDEX = np.where(COUNTED, np.arange(T)[None, :], -1)


def safe(x, y):
    return x / y if y != 0 else 0.0


def one_way(values, level):
    """For one feature: values and levels of the counted tokens, flat."""
    levels = np.unique(level)
    n, k, m = len(values), len(levels), values.mean()
    between = sum((level == j).sum() * (values[level == j].mean() - m) ** 2 for j in levels)
    within = sum(((values[level == j] - values[level == j].mean()) ** 2).sum() for j in levels)
    total = ((values - m) ** 2).sum()
    msw = within / (n - k)
    n0 = (n - sum((level == j).sum() ** 2 for j in levels) / n) / (k - 1)
    return {
        "eta2": between / total,
        "epsilon2": 1 - msw / (total / (n - 1)),
        "omega2": (between - (k - 1) * msw) / (total + msw),
        "sigma2": (between / (k - 1) - msw) / n0,
        "variance": total / n,
        "ms_within": msw,
    }


def blocked(a, level, sequences):
    """a [S, T], level [S, T] with -1 outside; only the listed sequences."""
    d = np.zeros_like(a)
    use = np.zeros(a.shape, bool)
    all_counted = np.zeros(a.shape, bool)
    for s in sequences:
        inside = level[s] >= 0
        all_counted[s] = inside
        if inside.sum() >= 2:
            d[s] = a[s] - a[s][inside].mean()
            use[s] = inside
    us, weights, kept, spread_n = [], [], [], 0.0
    for j in np.unique(level[all_counted]):
        where = [(s, t) for s in sequences for t in range(T) if use[s, t] and level[s, t] == j]
        products = [d[p] * d[q] for i, p in enumerate(where) for q in where[i + 1 :] if p[0] != q[0]]
        if products:
            us.append(np.mean(products))
            weights.append(len(where))
            spread_n += len(where) * us[-1]
            kept.extend(a[all_counted & (level == j)])
    position = np.average(us, weights=weights)
    variance = np.var(kept)
    n = all_counted.sum()
    freedom = sum(max((level[s] >= 0).sum() - 1, 0) for s in sequences)
    residual = ((d[use] ** 2).sum() - spread_n) / freedom
    return {
        "pve": position / variance,
        "icc": (variance - position - residual * (1 - 1 / n)) / variance,
        "position": position,
        "residual": residual,
        "level_variance": variance,
    }, us[0] * (level[all_counted] == 0).sum() / ((level[all_counted] != 0).sum() * variance)


def complete(a):
    """Two-way analysis of a full table, every cell once."""
    m, at, of = a.mean(), a.mean(0), a.mean(1)
    ss_pos, ss_seq, ss = S * ((at - m) ** 2).sum(), T * ((of - m) ** 2).sum(), ((a - m) ** 2).sum()
    res = ((a - at[None] - of[:, None] + m) ** 2).sum() / ((S - 1) * (T - 1))
    return {"pve": (ss_pos - (T - 1) * res) / ss, "icc": (ss_seq - (S - 1) * res) / ss, "eta2": ss_pos / ss}


def first(a, level, sequences):
    flat = np.concatenate([a[s][level[s] >= 0] for s in sequences])
    lev = np.concatenate([level[s][level[s] >= 0] for s in sequences])
    found = one_way(flat, lev)
    total = found["variance"] * len(flat)
    at, rest = flat[lev == 0], flat[lev > 0]
    ss0 = len(at) * len(rest) / len(flat) * (at.mean() - rest.mean()) ** 2
    ss_rest = sum((rest[lev[lev > 0] == j].mean() - rest.mean()) ** 2 * (lev == j).sum() for j in np.unique(lev) if j > 0)
    return {"share": ss0 / total, "rest": ss_rest / total, "cleared": (ss0 - found["ms_within"]) / total, "pve": blocked(a, level, sequences)[1]}


def held_out(a, level, sequences, shrink):
    scores = []
    for parity in (1, 0):
        train = [s for s in sequences if GROUP[s] % 2 == parity]
        test = [s for s in sequences if GROUP[s] % 2 != parity]
        values = np.concatenate([a[s][level[s] >= 0] for s in train])
        lev = np.concatenate([level[s][level[s] >= 0] for s in train])
        m = values.mean()
        b, _ = blocked(a, level, train)
        v = max(b["position"], 0.0)
        missed = plain = 0.0
        for s in test:
            for t in range(T):
                if level[s, t] < 0:
                    continue
                mine = values[lev == level[s, t]]
                fit = m
                if len(mine):
                    w = v / (v + b["residual"] / len(mine)) if shrink else 1.0
                    fit = m + w * (mine.mean() - m)
                missed += (a[s, t] - fit) ** 2
                plain += (a[s, t] - m) ** 2
        scores.append(1 - missed / plain)
    return np.mean(scores)


def magnitude(a, level, sequences):
    flat = np.concatenate([a[s][level[s] >= 0] for s in sequences])
    lev = np.concatenate([level[s][level[s] >= 0] for s in sequences])
    on = flat > 0
    found = one_way(flat[on], lev[on])
    return {"eta2": found["eta2"], "epsilon2": found["epsilon2"], "mean": flat[on].mean(), "variance": flat[on].var()}


def information(a, level, sequences):
    flat = np.concatenate([a[s][level[s] >= 0] for s in sequences]) > 0
    lev = np.concatenate([level[s][level[s] >= 0] for s in sequences])
    n, p = len(flat), flat.mean()
    total = 0.0
    for j in np.unique(lev):
        for z in (True, False):
            joint = ((lev == j) & (flat == z)).mean()
            if joint > 0:
                total += joint * np.log(joint / ((lev == j).mean() * (p if z else 1 - p)))
    entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
    bias = (len(np.unique(lev)) - 1) / (2 * n)
    return {"plugin": total, "entropy": entropy, "bias": bias, "information": total - bias, "uncertainty": (total - bias) / entropy}


def shift_test(a, level):
    """One feature: eta^2 of the values centred by sequence, observed and under each shift."""

    def statistic(turn):
        by, count, all_ = {}, {}, 0.0
        for s in range(S):
            places = [t for t in range(T) if level[s, t] >= 0]
            d = a[s][places] - a[s][places].mean()
            all_ += (d**2).sum()
            for i in range(len(places)):
                j = level[s, places[(i + turn[s]) % len(places)]]
                by[j] = by.get(j, 0.0) + d[i]
                count[j] = count.get(j, 0) + 1
        return sum(by[j] ** 2 / count[j] for j in by) / all_

    observed = statistic(np.zeros(S, int))
    null = np.array([statistic(turn) for turn in SHIFT])
    return observed, null.mean(), (1 + (null >= observed - 1e-12).sum()) / (1 + len(null))


def adjusted(p):
    order, m = np.argsort(p, kind="stable"), len(p)
    q, lowest = np.empty(m), 1.0
    for rank in range(m, 0, -1):
        lowest = min(lowest, p[order[rank - 1]] * m / rank)
        q[order[rank - 1]] = lowest
    return q


def pair_shares(a, level, kind, owner, sequences):
    """Products of deviations over pairs of tokens of equal key from different owners."""
    tokens = [(s, t) for s in sequences for t in range(T) if level[s, t] >= 0]

    def by(key):
        groups = {}
        for p in tokens:
            groups.setdefault(key(p), []).append(p)
        return groups

    key_of = lambda p: (level[p], kind[p])
    tokens = [p for g in by(key_of).values() if len({owner[q[0]] for q in g}) > 1 for p in g]
    values = np.array([a[p] for p in tokens])
    m, variance = values.mean(), values.var()

    def c(key):
        number = weight = 0.0
        for g in by(key).values():
            x, o = np.array([a[p] - m for p in g]), np.array([owner[p[0]] for p in g])
            apart = o[:, None] != o[None, :]
            if apart.any():
                number += len(g) * (np.outer(x, x)[apart]).mean()
                weight += len(g)
        return number / weight

    at, of, both = c(lambda p: level[p]), c(lambda p: kind[p]), c(key_of)
    return {"position": at / variance, "token": of / variance, "interaction": (both - at - of) / variance}


def jackknife(estimate, level):
    """estimate(sequences) -> dict; half widths over the groups of documents in which any token counts."""
    whole = estimate(list(range(S)))
    filled = sorted({GROUP[s] for s in range(S) if (level[s] >= 0).any()})
    n = len(filled)
    parts = [estimate([s for s in range(S) if GROUP[s] != g]) for g in filled]
    half = {}
    for name in whole:
        x = np.array([p[name] for p in parts])
        half[name] = STUDENT[n - 1] * np.sqrt((n - 1) / n * ((x - x.mean(0)) ** 2).sum(0))
    return whole, half


def since(starts):
    out, last = np.full(T, -1), -1
    for t in range(T):
        if starts[t]:
            last = t
        if last >= 0:
            out[t] = t - last
    return out


results = {}


def put(prefix, f, values):
    for name, value in values.items():
        if name != "ms_within":
            results.setdefault(f"{prefix}.{name}", np.zeros(F))[f] = value


sentence = np.array([since([False] + [TOKENS[s, t - 1] in ENDS for t in range(1, T)]) for s in range(S)])
sentence = np.where((sentence >= 0) & (sentence < 12), sentence, -1)
half_of = np.array([since([t == 0 or t == 8 + s % 16 for t in range(T)]) for s in range(S)])
half_of = np.where(half_of < 20, half_of, 19)
flat = lambda a, level, sequences: (np.concatenate([a[s][level[s] >= 0] for s in sequences]), np.concatenate([level[s][level[s] >= 0] for s in sequences]))
KIND = TOKENS % 6

for f in range(F):
    a = A[:, :, f]
    z = (a > 0).astype(float)
    print(f"feature {f}", flush=True)
    for prefix, estimate in {
        "one_way": lambda q: one_way(*flat(a, INDEX, q)),
        "blocked": lambda q: blocked(a, INDEX, q)[0],
        "sentence": lambda q: {**one_way(*flat(a, sentence, q)), **blocked(a, sentence, q)[0]},
        "document": lambda q: blocked(a, half_of, q)[0],
        "firing": lambda q: blocked(z, INDEX, q)[0],
        "first": lambda q: first(a, INDEX, q),
        "held_out": lambda q: {"shrunk": held_out(a, INDEX, q, True), "plain": held_out(a, INDEX, q, False)},
        "magnitude": lambda q: magnitude(a, INDEX, q),
        "information": lambda q: information(a, INDEX, q),
    }.items():
        whole, half = jackknife(estimate, {"sentence": sentence, "document": half_of}.get(prefix, INDEX))
        put(prefix, f, whole)
        put(f"half.{prefix}", f, half)
    put("complete", f, complete(a))
    observed, mean, p = shift_test(a, INDEX)
    put("null", f, {"observed": observed, "mean": mean, "p": p})
    put("pairs_of_documents", f, pair_shares(a, np.tile(np.arange(T), (S, 1)), KIND, DOCUMENTS, range(S)))
    put("pairs", f, pair_shares(a, INDEX, KIND, GROUP, range(S)))

def verdict(sequences):
    """The full table: blocked estimates of all features, live ones, and the mass that is mixed."""
    n = len(sequences)
    table = A[sequences]
    pve, variance = np.zeros(F), np.zeros(F)
    for f in range(F):
        a = table[:, :, f]
        m, at, of = a.mean(), a.mean(0), a.mean(1)
        total = ((a - m) ** 2).sum()
        res = ((a - at[None] - of[:, None] + m) ** 2).sum() / ((n - 1) * (T - 1))
        pve[f], variance[f] = (n * ((at - m) ** 2).sum() - (T - 1) * res) / total, total / (n * T)
    mixed = (pve >= 0.05) & (pve <= 0.95)
    share = lambda w: (w * mixed * LIVE).sum() / (w * LIVE).sum()
    fired = (table > 0).sum((0, 1))
    clipped = np.clip(pve, 0, 1)[LIVE]
    polarisation = 1 - 4 * (clipped * (1 - clipped)).mean()
    stream = (pve * variance)[8:].sum() / variance[8:].sum()
    return {"pve": pve, "polarisation": polarisation, "stream": stream, "features": share(np.ones(F)), "rate": share(fired), "variance": share(variance * NORM2)}


NORM2 = 1.0 + 0.25 * np.arange(F)
on = A > 0
LIVE = (on.sum((0, 1)) >= 200) & (np.array([[on[DOCUMENTS == d, :, f].any() for d in set(DOCUMENTS)] for f in range(F)]).sum(1) >= 20)
whole, half = jackknife(verdict, INDEX)
for name, value in whole.items():
    results[f"verdict.{name}"] = np.broadcast_to(value, F)
    results[f"half.verdict.{name}"] = np.broadcast_to(half[name], F)
results["verdict.live"] = LIVE.astype(float)
print(LIVE.sum(), "live", whole["features"], whole["rate"], whole["variance"])

results["null.q"] = adjusted(results["null.p"])
bad = [k for k, v in results.items() if not np.isfinite(v).all()]
assert not bad, bad
save_file({k: v.astype(np.float32) for k, v in sorted(results.items())}, "position_shares.safetensors")
print(len(results), "statistics of", F, "features")
