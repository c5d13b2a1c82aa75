"""Pruned lists, fits of patterns, kernels of low rank and intervals of relative dictionaries, in NumPy from their formulas.

Writes `relative_fits.safetensors`: inputs, and what `relative_fits.exp` compares. Least squares by numpy.linalg.lstsq on whole design matrices, a pair's worth by
fits without it, patterns by Newton's method on whole matrices with a softmax for each row, low rank by Levenberg and Marquardt on all numbers at once from
many starts, intervals by fits without each document.
"""
import numpy as np
from safetensors.numpy import save_file

r = np.random.default_rng(11)
S, T, A, B = 14, 10, 3, 3
f = np.maximum(r.normal(size=(S, T, A)), 0).astype(np.float32)
g = np.maximum(r.normal(size=(S, T, B)), 0).astype(np.float32)
tau = np.abs(np.arange(T)[:, None] - np.arange(T)[None, :])
u1, v1, u2, v2 = r.normal(size=(4, 3))
K = np.einsum("a,b,t->abt", u1, v1, 2 * np.exp(-np.arange(T) / 2.0)) + np.einsum("a,b,t->abt", u2, v2, 2.0 * (np.arange(T) == 1)) + r.normal(size=(A, B, 1))
s = np.einsum("sia,sjb,abij->sij", f, g, K[:, :, tau]) + 0.4 * r.normal(size=(S, T, T)) + 3 * r.normal(size=(S, T, 1))
s = s.astype(np.float32)
pairs = [(0, 0), (1, 2), (2, 1), (0, 2), (1, 1), (2, 0)]
keys = [0, 1, 2]
phi = np.stack([-np.arange(T) / 10.0, np.exp(-np.arange(T) / 2.0), (np.arange(T) == 1) * 1.0], 1)
P, Bk, M = len(pairs), len(keys), phi.shape[1]
out = {"f": f, "g": g, "scores": s, "phi": phi, "query": np.float32([p[0] for p in pairs]), "key": np.float32([p[1] for p in pairs])}


def design(frm, to):
    """Columns over (sequence, row, key), in the order W, v, r_0, rho, r; the model and the pair of each; the scores."""
    F, G = f[:, frm:to].astype(float), g[:, frm:to].astype(float)
    n = to - frm
    ph, one = phi[tau[:n, :n]], np.ones((S, n, n))
    cols, kind, own = [], [], []
    def put(c, k, p=-1):
        cols.append(c * one); kind.append(k); own.append(p)
    both = [F[:, :, a, None] * G[:, None, :, b] for a, b in pairs]
    for p in range(P): put(both[p], 0, p)
    for b in keys: put(G[:, None, :, b], 1)
    for m in range(M): put(ph[..., m], 2)
    for b in keys:
        for m in range(M): put(G[:, None, :, b] * ph[..., m], 3)
    for p in range(P):
        for m in range(M): put(both[p] * ph[..., m], 4, p)
    return np.stack(cols, -1), np.array(kind), np.array(own), s[:, frm:to, frm:to].astype(float)


def flat_rows(z):
    """A list of rows, each its visible keys by columns, and the sequence of each."""
    n = z.shape[1]
    return [z[q, i, :i + 1] for q in range(S) for i in range(n)], [q for q in range(S) for i in range(n)]


def centred(rows):
    return np.concatenate([x - x.mean(0) for x in rows])


def r2(z, y, th=None):
    th = np.linalg.lstsq(z, y, rcond=None)[0] if th is None else th
    return 1 - ((y - z @ th) ** 2).sum() / (y ** 2).sum(), th


Z, kind, own, Y = design(0, T)
rows, owner = flat_rows(Z)
yrows, _ = flat_rows(Y)
z, y = centred(rows), centred(yrows)
full, theta = r2(z, y)

# What each pair is worth, with kernels and with content alone.
for name, most in (("worth", 4), ("worth_content", 1)):
    cols = kind <= most
    base = r2(z[:, cols], y)[0]
    out[name] = np.float64([base - r2(z[:, cols & (own != p)], y)[0] for p in range(P)])

# Pruned to two pairs.
left, path, dropped = list(range(P)), [full], [-1]
while len(left) > 2:
    here = [r2(z[:, np.isin(own, [-1] + [q for q in left if q != p])], y)[0] for p in left]
    best = int(np.argmax(here))
    path.append(here[best]); dropped.append(left.pop(best))
out["prune_path"], out["prune_dropped"] = np.float64(path), np.float64(dropped)
out["prune_theta"] = r2(z[:, np.isin(own, [-1] + left)], y)[1]

# Patterns: Newton's method with a step that is halved until the divergence falls.
def value(th):
    total = 0
    for x, t in zip(rows, yrows):
        a = t - t.max(); a = a - np.log(np.exp(a).sum())
        b = x @ th; b = b - b.max(); b = b - np.log(np.exp(b).sum())
        total += (np.exp(a) * (a - b)).sum()
    return total / len(rows)

th = theta.copy()
out["kl_start"] = np.float64([value(th)])
for step in range(60):
    grad, hess = 0, 0
    for x, t in zip(rows, yrows):
        a = np.exp(t - t.max()); a /= a.sum()
        b = np.exp(x @ th - (x @ th).max()); b /= b.sum()
        m = b @ x
        grad = grad + (b - a) @ x
        hess = hess + (x * b[:, None]).T @ x - np.outer(m, m)
    d = -np.linalg.lstsq(hess, grad, rcond=1e-13)[0]
    size, now = 1.0, value(th)
    while value(th + size * d) > now and size > 1e-9:
        size /= 2
    th = th + size * d
    if np.abs(d).max() < 1e-12: break
print("newton", step, np.abs(d).max())
out["kl_end"], out["kl_theta"] = np.float64([value(th)]), th
out["kl_r2"] = np.float64([r2(z, y, th)[0]])

# Low rank: all numbers at once, other columns free.
queries, keyed = sorted({a for a, b in pairs}), sorted({b for a, b in pairs})
q = np.array([[a == c for c in queries] for a, b in pairs], float)
k = np.array([[b == c for c in keyed] for a, b in pairs], float)
others, kern = z[:, kind < 4], z[:, kind == 4]
rest = lambda x: x - others @ np.linalg.lstsq(others, x, rcond=None)[0]
zk, yk = rest(kern), rest(y)


def low_rank(rank):
    best = None
    for start in range(12):
        u, v, c = r.normal(size=(3, rank)), r.normal(size=(3, rank)), r.normal(size=(rank, M))
        x = np.concatenate([u.ravel(), v.ravel(), c.ravel()])
        split = lambda x: (x[:3 * rank].reshape(3, rank), x[3 * rank:6 * rank].reshape(3, rank), x[6 * rank:].reshape(rank, M))
        kernel = lambda x: np.einsum("pm,pm,mt->pt", q @ split(x)[0], k @ split(x)[1], split(x)[2])
        miss = lambda x: yk - zk @ kernel(x).ravel()
        lam, now = 1.0, (miss(x) ** 2).sum()
        for it in range(1000):
            u, v, c = split(x)
            J = np.concatenate([np.einsum("pa,pm,mt->ptam", q, k @ v, c).reshape(P * M, -1), np.einsum("pa,pm,mt->ptam", k, q @ u, c).reshape(P * M, -1),
                                np.einsum("pm,ts->ptms", (q @ u) * (k @ v), np.eye(M)).reshape(P * M, -1)], 1)
            ZJ = zk @ J
            H = ZJ.T @ ZJ
            d = np.linalg.solve(H + lam * np.eye(len(H)) * np.trace(H) / len(H), ZJ.T @ miss(x))
            new = (miss(x + d) ** 2).sum()
            if new < now:
                done = now - new < 1e-15 * now and lam < 1e-6
                x, now, lam = x + d, new, max(lam / 3, 1e-12)
                if done: break
            else:
                lam *= 4
                if lam > 1e12: break
        if best is None or now < best[0] - 1e-12: best = (now, kernel(x))
    th = np.zeros(len(kind))
    th[kind == 4] = best[1].ravel()
    th[kind < 4] = np.linalg.lstsq(others, y - kern @ best[1].ravel(), rcond=None)[0]
    return r2(z, y, th)[0], th


for rank in (1, 2):
    share, th = low_rank(rank)
    out[f"rank{rank}_r2"], out[f"rank{rank}_theta"] = np.float64([share]), th
    print("rank", rank, share)

# Intervals: documents of two sequences, seven in all; Student's t of 6 degrees of freedom.
def fits(keep):
    share = [r2(z[keep][:, kind <= m + 1], y[keep])[0] for m in range(4)]
    return share

doc = np.concatenate([np.full(len(x), o // 2) for x, o in zip(rows, owner)])
out["nest"] = np.float64(fits(doc >= 0))
each = np.float64([fits(doc != d) for d in range(7)])
t6 = 2.446911851
half = lambda e: t6 * np.sqrt(6 / 7 * ((e - e.mean(0)) ** 2).sum(0))
out["nest_half"] = half(each)
Za, _, _, Ya = design(0, T // 2)
Zb, _, _, Yb = design(T // 2, T)
ra, oa = flat_rows(Za)
za, ya, zb, yb = centred(ra), centred(flat_rows(Ya)[0]), centred(flat_rows(Zb)[0]), centred(flat_rows(Yb)[0])
docs = np.concatenate([np.full(len(x), o // 2) for x, o in zip(ra, oa)])
def lost(keep):
    found = []
    for m in range(4):
        c = kind <= m + 1
        th = r2(za[keep][:, c], ya[keep])[1]
        found.append(r2(zb[keep][:, c], yb[keep])[0] - r2(zb[keep][:, c], yb[keep], th)[0])
    return found
out["lost"] = np.float64(lost(docs >= 0))
out["lost_half"] = half(np.float64([lost(docs != d) for d in range(7)]))

# Readers take 32 bits: results are compared at 1e-6, so they are written as a high and a low part.
final = {}
for name, val in out.items():
    val = np.asarray(val)
    if val.dtype == np.float64:
        hi = val.astype(np.float32)
        final[name], final[name + ".low"] = hi, (val - hi).astype(np.float32)
    else:
        final[name] = val
save_file({n: np.ascontiguousarray(v) for n, v in final.items()}, "relative_fits.safetensors")
print({n: np.round(out[n], 4).tolist() for n in ("worth", "prune_path", "prune_dropped", "kl_start", "kl_end", "nest", "nest_half", "lost", "lost_half")})
