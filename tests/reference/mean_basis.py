"""ScreeNOT and the cosines of contexts on the activations of `removal.safetensors`, in NumPy. `python mean_basis.py` writes `mean_basis.json`.

The derivative in the equation of the threshold is taken by complex steps, not by its formula; singular values are LAPACK's. Cosines are
taken over all pairs at once.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

HERE = Path(__file__).parent


def log_d(y, noise, shape):
    """log D(y), for complex y."""
    phi = np.mean(y / (y * y - noise * noise))
    return np.log(phi) + np.log(shape * phi + (1 - shape) / y)


def elasticity(y, noise, shape):
    """y D'(y) / D(y) by a complex step: exact to rounding, without the derivative's formula."""
    step = 1e-30
    return y * np.imag(log_d(y + 1j * step, noise, shape)) / step


def screenot(matrix, most):
    s = np.linalg.svd(matrix, compute_uv=False)
    noise = s.copy()
    for i in range(most):
        share = (1 - (i / most) ** (2 / 3)) / (2 ** (2 / 3) - 1)
        noise[i] = s[most] + share * (s[most] - s[2 * most])
    shape = min(matrix.shape) / max(matrix.shape)
    low, high = noise.max(), 4 * noise.max()
    assert elasticity(high, noise, shape) > -4
    for _ in range(200):
        middle = (low + high) / 2
        if elasticity(middle, noise, shape) < -4:
            low = middle
        else:
            high = middle
    return {"threshold": low, "rank": int((s > low).sum())}


def cosines(context, topic):
    unit = context / np.linalg.norm(context, axis=1, keepdims=True)
    size = np.abs(unit @ unit.T)
    upper = np.triu(np.ones_like(size, dtype=bool), 1)
    same = topic[:, None] == topic[None, :]
    return {"within": size[upper & same].mean(), "between": size[upper & ~same].mean()}


def main():
    x = load_file(HERE / "removal.safetensors")["x"].astype(np.float64)
    mu = x.mean((0, 1))
    context = x.mean(1) - mu
    found = {
        "positions": screenot(x.mean(0) - mu, 4),
        "contexts": screenot(context, 8),
        "last": screenot(x[:, -1] - x[:, -1].mean(0), 5),
        "cosines": cosines(context, np.arange(len(x)) % 5),
    }
    (HERE / "mean_basis.json").write_text(json.dumps(found, indent=1) + "\n")
    print(found)


if __name__ == "__main__":
    main()
