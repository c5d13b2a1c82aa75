"""Relative dictionaries, rotary kernels, shares of pairs, offset pairs and the loss of query-key dictionaries, in NumPy from their formulas.

Writes `relative_pairs.safetensors`: inputs, and what `relative_pairs.exp` compares. Least squares by numpy.linalg.lstsq on whole design matrices,
rotary by complex numbers, shares by loops.
"""
import numpy as np
from safetensors.numpy import save_file

r = np.random.default_rng(5)
S, T, A, B = 14, 12, 3, 3
f = np.maximum(r.normal(size=(S, T, A)), 0).astype(np.float32)
g = np.maximum(r.normal(size=(S, T, B)), 0).astype(np.float32)
tau = np.arange(T)[:, None] - np.arange(T)[None, :]
low = tau >= 0
K = r.normal(size=(A, B, T))
s = np.einsum("sia,sjb,abij->sij", f, g, K[:, :, np.abs(tau)]) + r.normal(size=(S, T, T)) + 3 * r.normal(size=(S, T, 1))
s = s.astype(np.float32)
x = s.astype(np.float64)
pairs = [(0, 0), (1, 2), (2, 1)]
keys = [0, 1, 2]
out = {"f": f, "g": g, "scores": s, "query": np.float32([p[0] for p in pairs]), "key": np.float32([p[1] for p in pairs])}


def bucket_basis(n, rows, furthest):
    m = np.zeros((n, rows))
    exact = rows // 2
    for t in range(n):
        b = t if t < exact else min(rows - 1, exact + int(np.floor(np.log(t / exact) / np.log(furthest / exact) * (rows - exact) + 1e-9)))
        m[t, b] = 1
    return m


def design(f, g, phi, frm, to):
    """Columns over (sequence, row, key), in the order W, v, r_0, rho, r; and which model each belongs to."""
    f, g = f[:, frm:to].astype(float), g[:, frm:to].astype(float)
    n = to - frm
    ph = phi[np.abs(np.arange(n)[:, None] - np.arange(n)[None, :])]
    cols, kind = [], []
    one = np.ones((f.shape[0], n, n))
    for a, b in pairs:
        cols.append(f[:, :, a, None] * g[:, None, :, b]); kind.append(0)
    for b in keys:
        cols.append(one * g[:, None, :, b]); kind.append(1)
    for m in range(phi.shape[1]):
        cols.append(one * ph[..., m]); kind.append(2)
    for b in keys:
        for m in range(phi.shape[1]):
            cols.append(g[:, None, :, b] * ph[..., m] * one); kind.append(3)
    for a, b in pairs:
        for m in range(phi.shape[1]):
            cols.append(f[:, :, a, None] * g[:, None, :, b] * ph[..., m]); kind.append(4)
    return np.stack(cols, -1), np.array(kind)


def rows_centred(z, weight=None):
    n = z.shape[1]
    w = np.tril(np.ones((n, n)))[None] if weight is None else weight
    w = w.reshape(w.shape + (1,) * (z.ndim - 3))
    return np.sqrt(w) * (z - (w * z).sum(2, keepdims=True) / w.sum(2, keepdims=True))


def flat(z):
    n = z.shape[1]
    return z[:, np.tril(np.ones((n, n), bool))].reshape(-1, *z.shape[3:])


def softmax_rows(x):
    n = x.shape[1]
    z = np.where(np.tril(np.ones((n, n), bool)), x, -np.inf)
    z = np.exp(z - z.max(2, keepdims=True))
    return z / z.sum(2, keepdims=True)


def fit(frm, to, phi, weight=None):
    z, kind = design(f, g, phi, frm, to)
    y = x[:, frm:to, frm:to]
    w = softmax_rows(y) if weight else None
    return flat(rows_centred(z, w)), flat(rows_centred(y, w)), kind


phi = bucket_basis(T, 6, 12)
for name, weight in (("uniform", None), ("attention", True)):
    z, y, kind = fit(1, T, phi, weight)
    r2, theta = [], None
    for m in range(4):
        theta = np.linalg.lstsq(z[:, kind <= m + 1], y, rcond=1e-9)[0]
        r2.append(1 - ((y - z[:, kind <= m + 1] @ theta) ** 2).sum() / (y**2).sum())
    out["r2_" + name] = np.float64(r2)
    if name == "uniform":
        P, Bk, M = len(pairs), len(keys), phi.shape[1]
        count = T - np.arange(T)
        level = lambda k: (k * count).sum(-1) / count.sum()
        rp = theta[P + Bk + M + Bk * M:].reshape(P, M) @ phi.T
        rk = theta[P + Bk + M:P + Bk + M + Bk * M].reshape(Bk, M) @ phi.T
        rh = phi @ theta[P + Bk:P + Bk + M]
        out["W"] = theta[:P] + level(rp)
        out["v"] = theta[P:P + Bk] + level(rk)
        out["of_pairs"] = rp - level(rp)[:, None]
        out["of_keys"] = rk - level(rk)[:, None]
        out["head"] = rh - level(rh)
        a = softmax_rows(x[:, 1:, 1:])
        zz, _ = design(f, g, phi, 1, T)
        b = softmax_rows(zz @ theta)
        with np.errstate(divide="ignore", invalid="ignore"):
            out["kl"] = np.float64([np.where(a > 0, a * np.log(a / b), 0).sum(2).mean()])
        out["largest_gap"] = np.float64([np.abs(a - b).max(2).mean()])
        out["agreement"] = np.float64([(a.argmax(2) == b.argmax(2)).mean()])

# The decisive test; positions 0 to 5 and 6 to 11. Small ridge-free bases, so that solutions are unique.
phi2 = np.stack([-np.arange(T), np.exp(-np.arange(T) / 2.0)], 1).astype(float)
z1, y1, kind = fit(0, 6, phi2)
z2, y2, _ = fit(6, 12, phi2)
carried = []
for m in range(4):
    c = kind <= m + 1
    th = np.linalg.lstsq(z1[:, c], y1, rcond=1e-9)[0]
    carried.append(1 - ((y2 - z2[:, c] @ th) ** 2).sum() / (y2**2).sum())
out["carried"] = np.float64(carried)

# Rotary with complex numbers: planes (p, p + 3) of the first 6 of 8 dimensions.
d, e = r.normal(size=(A, 8)), r.normal(size=(B, 8))
rate = 10000.0 ** (-np.arange(3) / 3)
dc, ec = d[:, :3] + 1j * d[:, 3:6], e[:, :3] + 1j * e[:, 3:6]
kern = np.zeros((A, B, T))
for t in range(T):
    kern[:, :, t] = (np.real((dc * np.exp(1j * rate * t)) @ np.conj(ec).T) + d[:, 6:] @ e[:, 6:].T) / np.sqrt(8)
d, e = d.astype(np.float32), e.astype(np.float32)
dc, ec = d[:, :3].astype(float) + 1j * d[:, 3:6], e[:, :3].astype(float) + 1j * e[:, 3:6]
for t in range(T):
    kern[:, :, t] = (np.real((dc * np.exp(1j * rate * t)) @ np.conj(ec).T) + d[:, 6:].astype(float) @ e[:, 6:].T.astype(float)) / np.sqrt(8)
out.update(d=d, e=e, rotary=kern)

# Shares of pairs by loops: groups of two sequences, pairs of sequences of different groups.
owner = np.arange(S) // 2
def shares(a, b):
    c = f[:, :, a, None].astype(float) * g[:, None, :, b]
    def cross(v):  # v: sequences x cells, the mean of products of sequences of different groups
        tot = np.zeros(v.shape[1]); n = 0
        for p in range(S):
            for q in range(S):
                if owner[p] != owner[q]:
                    tot += v[p] * v[q]; n += 1
        return tot / n
    cells = np.stack([c[:, i, j] for i in range(T) for j in range(i + 1)], 1)
    N = cells.shape[1]
    level = cross(cells.mean(1, keepdims=True))[0]
    var = (cells**2).mean() - level
    by_i = np.stack([c[:, i, :i + 1].mean(1) for i in range(T)], 1)
    by_j = np.stack([c[:, j:, j].mean(1) for j in range(T)], 1)
    by_t = np.stack([np.stack([c[:, i, i - t] for i in range(t, T)], 1).mean(1) for t in range(T)], 1)
    w = np.arange(1, T + 1); v = T - np.arange(T)
    return [((cross(by_i) * w).sum() / N - level) / var, ((cross(by_j) * v).sum() / N - level) / var,
            ((cross(by_t) * v).sum() / N - level) / var, (cross(cells).mean() - level) / var]
out["shares"] = np.float64([shares(a, b) for a, b in pairs])

# The loss of query-key dictionaries: two heads of width 4, inputs of width 5.
H, D, U = 2, 4, 5
rnd = lambda *n: r.normal(size=n).astype(np.float32)
u, q, k = rnd(S, T, U), rnd(S, T, H, D), rnd(S, T, H, D)
side = {}
for n in ("query", "key"):
    side[n] = dict(b_in=rnd(U), W_enc=rnd(U, A), b_enc=rnd(A), W_dec=rnd(A, H, D), b_dec=rnd(H, D))
    for w, val in side[n].items():
        out[n + "." + w] = val
out.update(u=u, q=q, k=k)
code = lambda p: np.maximum((u.astype(float) - p["b_in"]) @ p["W_enc"].astype(float) + p["b_enc"], 0)
dec = lambda c, p: np.einsum("sta,ahd->sthd", c, p["W_dec"].astype(float)) + p["b_dec"]
cf, cg = code(side["query"]), code(side["key"])
qh, kh = dec(cf, side["query"]), dec(cg, side["key"])
def logp(q, k):
    sc = np.einsum("sihd,sjhd->shij", q, k).astype(float) / np.sqrt(D)
    sc = np.where(low, sc, -np.inf)
    m = sc.max(-1, keepdims=True)
    return sc - m - np.log(np.exp(sc - m).sum(-1, keepdims=True))
def kl(a, b):
    with np.errstate(invalid="ignore"):
        return np.where(low, np.exp(a) * (a - b), 0).sum(-1).mean()
t = logp(q.astype(float), k.astype(float))
pen = 0
for c, p in ((cf, side["query"]), (cg, side["key"])):
    n = np.sqrt((p["W_dec"].astype(float) ** 2).sum((1, 2)))
    pen += (np.sqrt(c * n + 1e-7) - np.sqrt(1e-7)).sum() / (S * T)
out["qk_loss"] = np.float64([3 * kl(t, logp(qh, kh)) + kl(t, logp(q.astype(float), kh)) + kl(t, logp(qh, k.astype(float))) + 0.01 * pen])
sc = lambda a, b: np.einsum("sihd,sjhd->shij", a, b) / np.sqrt(D)
W = np.einsum("ahd,bhd->abh", side["query"]["W_dec"].astype(float), side["key"]["W_dec"].astype(float)) / np.sqrt(D)
out["qk_pairs"] = np.einsum("sia,sjb,abh->shij", cf, cg, W)[:2]
eq = q - qh
ek = k - kh
out["qk_error_code"] = sc(eq, np.einsum("sta,ahd->sthd", cg, side["key"]["W_dec"].astype(float)))[:2]
out["qk_error_error"] = sc(eq, ek)[:2]
out["qk_scores"] = sc(q.astype(float), k.astype(float))[:2]

# Readers take 32 bits: results are compared at 1e-6, so they are written as a high and a low part.
final = {}
for name, val in out.items():
    val = np.asarray(val)
    if val.dtype == np.float64:
        hi = val.astype(np.float32)
        final[name] = hi
        final[name + ".low"] = (val - hi).astype(np.float32)
    else:
        final[name] = val
save_file({n: np.ascontiguousarray(v) for n, v in final.items()}, "relative_pairs.safetensors")
print({n: np.round(out[n], 4).tolist() for n in ("r2_uniform", "r2_attention", "carried", "shares", "qk_loss", "kl", "agreement")})
