"""The training of `examples/train_gpt.exp` in JAX (jit, CPU, float32): the same recipe, parameters and windows.

usage: train_gpt_jax.py SCHEME FOLDER TOKENS [--steps N] [--skip-judging] [--json]

SCHEME is learned, sinusoidal, rotary, shortformer or learned_offset. FOLDER is where
`locus run --out FOLDER --set scheme=SCHEME --set for_peers=true examples/train_gpt.exp` wrote the parameters to start from
(`first/model.safetensors`) and the windows of each step (`starts.npy`, `ids.npy`); `jax.loss.npy` goes there.
TOKENS is `examples/data/sotu.tokens.npy`. For FOLDER `-` parameters and windows are random: for timing. Every step is timed by itself; the first two are compilation and warming up.
"""
import json, statistics, sys, time
from pathlib import Path
import jax, jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file

LAYERS, D, HEADS, CTX = 4, 128, 4, 256
WIDTH = D // HEADS
RATE, WARMUP, FLOOR, DECAY = 2e-3, 100, 0.1, 0.05


def parameters(path):
    stored = load_file(path)
    p = dict(emb=stored["wte.weight"], gf=stored["ln_f.weight"], bf=stored["ln_f.bias"])
    if "wpe.weight" in stored:
        p["pos"] = stored["wpe.weight"]
    names = dict(
        qkv="attn.c_attn.weight", b_qkv="attn.c_attn.bias", o="attn.c_proj.weight", b_o="attn.c_proj.bias",
        up="mlp.c_fc.weight", b_up="mlp.c_fc.bias", down="mlp.c_proj.weight", b_down="mlp.c_proj.bias",
        g1="ln_1.weight", b1="ln_1.bias", g2="ln_2.weight", b2="ln_2.bias")
    p["layers"] = [{short: stored[f"h.{l}.{name}"] for short, name in names.items()} for l in range(LAYERS)]
    return jax.tree.map(jnp.asarray, p)


def random_parameters(scheme):
    rng = np.random.default_rng(0)
    normal = lambda *shape: (0.02 * rng.standard_normal(shape)).astype(np.float32)
    names = dict(qkv=(D, 3 * D), b_qkv=(3 * D,), o=(D, D), b_o=(D,), up=(D, 4 * D), b_up=(4 * D,), down=(4 * D, D), b_down=(D,))
    ones, zeros = (lambda: np.ones(D, np.float32)), (lambda: np.zeros(D, np.float32))
    layer = lambda: dict({name: normal(*shape) for name, shape in names.items()}, g1=ones(), b1=zeros(), g2=ones(), b2=zeros())
    p = dict(emb=normal(2048, D), gf=ones(), bf=zeros(), layers=[layer() for _ in range(LAYERS)])
    if scheme in ("learned", "learned_offset", "shortformer"):
        p["pos"] = normal(2 * CTX if scheme == "learned_offset" else CTX, D)
    return jax.tree.map(jnp.asarray, p)


def norm(x, gain, bias):
    centred = x - x.mean(-1, keepdims=True)
    return centred / jnp.sqrt((centred * centred).mean(-1, keepdims=True) + 1e-5) * gain + bias


def sinusoids(ids):
    """fairseq's table: sines, then cosines."""
    angle = np.arange(CTX)[:, None] * 10000.0 ** (-np.arange(D // 2) / (D / 2 - 1))
    return jnp.asarray(np.concatenate([np.sin(angle), np.cos(angle)], -1), jnp.float32)[ids]


def turning():
    angle = np.arange(CTX)[:, None] * 10000.0 ** (-2 * np.arange(WIDTH // 2) / WIDTH)
    return jnp.asarray(np.cos(angle), jnp.float32)[:, None], jnp.asarray(np.sin(angle), jnp.float32)[:, None]


def turned(x):
    cos, sin = turning()
    a, b = jnp.split(x, 2, -1)
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], -1)


SEEN = jnp.tril(jnp.ones((CTX, CTX), bool))


def forward(p, tokens, ids, scheme):
    x = p["emb"][tokens] * (D**0.5 if scheme == "sinusoidal" else 1.0)
    place = sinusoids(ids) if scheme == "sinusoidal" else p["pos"][ids] if "pos" in p else None
    if scheme in ("learned", "learned_offset", "sinusoidal"):
        x = x + place
    shape = (*tokens.shape, HEADS, WIDTH)
    for w in p["layers"]:
        h = norm(x, w["g1"], w["b1"])
        if scheme == "shortformer":
            qk = (h + place) @ w["qkv"][:, :2 * D] + w["b_qkv"][:2 * D]
            q, k = jnp.split(qk, 2, -1)
            v = h @ w["qkv"][:, 2 * D:] + w["b_qkv"][2 * D:]
        else:
            q, k, v = jnp.split(h @ w["qkv"] + w["b_qkv"], 3, -1)
        q, k, v = (t.reshape(shape) for t in (q, k, v))
        if scheme == "rotary":
            q, k = turned(q), turned(k)
        q, k, v = (t.transpose(0, 2, 1, 3) for t in (q, k, v))
        scores = q @ k.transpose(0, 1, 3, 2) / WIDTH**0.5
        pattern = jax.nn.softmax(jnp.where(SEEN, scores, -1e9), -1)
        z = (pattern @ v).transpose(0, 2, 1, 3).reshape(x.shape)
        x = x + z @ w["o"] + w["b_o"]
        x = x + jax.nn.gelu(norm(x, w["g2"], w["b2"]) @ w["up"] + w["b_up"]) @ w["down"] + w["b_down"]
    return norm(x, p["gf"], p["bf"]) @ p["emb"].T


def losses(p, tokens, following, ids, scheme):
    logits = forward(p, tokens, ids, scheme)
    return jax.nn.logsumexp(logits, -1) - jnp.take_along_axis(logits, following[..., None], -1)[..., 0]


def advance(p, m, v, step, steps, tokens, following, ids, scheme):
    value, g = jax.value_and_grad(lambda p: losses(p, tokens, following, ids, scheme).mean())(p)
    length = jnp.sqrt(sum(jnp.vdot(u, u) for u in jax.tree.leaves(g)))
    scale = 1.0 / jnp.maximum(1.0, length)
    share = jnp.maximum(step - WARMUP, 0) / jnp.maximum(steps - WARMUP, 1)
    rise = jnp.minimum((step + 1) / WARMUP, 1.0)
    rate = RATE * rise * (FLOOR + (1 - FLOOR) * 0.5 * (1 + jnp.cos(jnp.pi * share)))
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * scale * g, m, g)
    v = jax.tree.map(lambda v, g: 0.98 * v + 0.02 * (scale * g) ** 2, v, g)
    first, second = 1 / (1 - 0.9 ** (step + 1.0)), 1 / (1 - 0.98 ** (step + 1.0))

    def moved(p, m, v):
        decay = rate * DECAY if p.ndim == 2 else 0.0
        return p * (1 - decay) - rate * first * m / (jnp.sqrt(v * second) + 1e-8)
    return jax.tree.map(moved, p, m, v), m, v, value


def windows(stream, starts):
    following = stream[starts[:, None] + np.arange(CTX)].astype(np.int32)
    return np.concatenate([np.zeros((len(starts), 1), np.int32), following[:, :-1]], 1), following


def held_out(stream):
    """The windows of the held-out blocks that lie within one address, by the rule of the example."""
    address = np.cumsum(stream == 0)
    places = np.arange(0, len(stream) - CTX + 1, CTX)
    last = places + CTX - 1
    held = lambda at: at // 4096 % 20 == 7
    return places[(address[places] == address[last]) & (stream[places] != 0) & held(places) & held(last)]


def judged(p, stream, scheme):
    found, places = [], held_out(stream)
    step = jax.jit(losses, static_argnums=4)
    for at in range(0, len(places), 12):
        found.append(np.asarray(step(p, *windows(stream, places[at:at + 12]), jnp.arange(CTX), scheme), np.float64))
    return float(np.concatenate(found).mean()), len(places)


def option(name, otherwise):
    return int(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else otherwise


def main():
    scheme, folder, stream = sys.argv[1], Path(sys.argv[2]), np.load(sys.argv[3])
    if sys.argv[2] == "-":
        steps = option("--steps", 20)
        starts = np.random.default_rng(0).integers(0, len(stream) - CTX, (steps, 16))
        ids = np.broadcast_to(np.arange(CTX, dtype=np.int32), (steps, 16, CTX))
        p = random_parameters(scheme)
    else:
        starts, ids = np.load(folder / "starts.npy"), np.load(folder / "ids.npy").astype(np.int32)
        steps = len(starts)
        p = parameters(folder / "first/model.safetensors")
    m, v = jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p)
    step = jax.jit(advance, static_argnums=8, donate_argnums=(0, 1, 2))
    found, times = [], []
    for number in range(min(steps, option("--steps", steps))):
        tokens, following = windows(stream, starts[number])
        # Only random offsets differ from window to window.
        told = ids[number] if scheme == "learned_offset" else ids[number][0]
        start = time.perf_counter()
        p, m, v, value = step(p, m, v, jnp.float32(number), jnp.float32(steps), tokens, following, told, scheme)
        found.append(float(value))
        times.append(time.perf_counter() - start)
        if number % 50 == 0:
            print(f"{scheme} step {number}: {found[-1]:.4f}", file=sys.stderr, flush=True)
    if sys.argv[2] != "-":
        np.save(folder / "jax.loss.npy", np.array(found, np.float32))
    verdict = dict(scheme=scheme, steps=len(found), losses=found[:20], step=statistics.median(times[2:] or times), step_min=min(times))
    if "--skip-judging" not in sys.argv:
        verdict["held_out"], verdict["windows"] = judged(p, stream, scheme)
    print(json.dumps(verdict) if "--json" in sys.argv else "\n".join(f"{name:10s} {value}" for name, value in verdict.items()))


main()
