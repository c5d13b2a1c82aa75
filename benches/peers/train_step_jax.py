"""A training step of the 4-layer model of the examples in JAX (jit, CPU, float32), beside its forward products.

usage: train_step_jax.py [STEPS] [--json]

The model is the one of `stdlib/models/gpt2.exp`: learned positions, pre-LayerNorm, tanh GELU, tied unembedding; d 128,
4 heads, dmlp 512, vocabulary 2048, context 128, batch 32; AdamW with a clipped gradient. The products are those of the
forward pass without attention: q, k, v, o, both of the MLP, and the unembedding. Steps and products are timed in turn.
"""
import json, statistics, sys, time
import jax, jax.numpy as jnp

LAYERS, D, HEADS, MLP, VOCAB, CTX, BATCH = 4, 128, 4, 512, 2048, 128, 32
numbers = [int(a) for a in sys.argv[1:] if a.isdigit()]
STEPS = numbers[0] if numbers else 15


def init(key):
    def normal(at, *shape):
        return 0.02 * jax.random.normal(jax.random.fold_in(key, at), shape, jnp.float32)
    layer = dict(
        qkv=normal(1, LAYERS, D, 3 * D), b_qkv=jnp.zeros((LAYERS, 3 * D)),
        o=normal(2, LAYERS, D, D), b_o=jnp.zeros((LAYERS, D)),
        up=normal(3, LAYERS, D, MLP), b_up=jnp.zeros((LAYERS, MLP)),
        down=normal(4, LAYERS, MLP, D), b_down=jnp.zeros((LAYERS, D)),
        g1=jnp.ones((LAYERS, D)), b1=jnp.zeros((LAYERS, D)), g2=jnp.ones((LAYERS, D)), b2=jnp.zeros((LAYERS, D)))
    return dict(emb=normal(5, VOCAB, D), pos=normal(6, CTX, D), gf=jnp.ones(D), bf=jnp.zeros(D), layer=layer)


def norm(x, gain, bias):
    centred = x - x.mean(-1, keepdims=True)
    return centred / jnp.sqrt((centred * centred).mean(-1, keepdims=True) + 1e-5) * gain + bias


SEEN = jnp.tril(jnp.ones((CTX, CTX), bool))


def layer_of(w, l):
    return {name: value[l] for name, value in w.items()}


def forward(p, tokens):
    x = p["emb"][tokens] + p["pos"]
    for l in range(LAYERS):
        w = layer_of(p["layer"], l)
        q, k, v = jnp.split(norm(x, w["g1"], w["b1"]) @ w["qkv"] + w["b_qkv"], 3, -1)
        heads = lambda t: t.reshape(BATCH, CTX, HEADS, D // HEADS).transpose(0, 2, 1, 3)
        scores = heads(q) @ heads(k).transpose(0, 1, 3, 2) / (D // HEADS) ** 0.5
        pattern = jax.nn.softmax(jnp.where(SEEN, scores, -1e9), -1)
        z = (pattern @ heads(v)).transpose(0, 2, 1, 3).reshape(BATCH, CTX, D)
        x = x + z @ w["o"] + w["b_o"]
        x = x + jax.nn.gelu(norm(x, w["g2"], w["b2"]) @ w["up"] + w["b_up"]) @ w["down"] + w["b_down"]
    return norm(x, p["gf"], p["bf"]) @ p["emb"].T


def loss(p, tokens):
    logits = forward(p, tokens)[:, :-1]
    told = jnp.take_along_axis(logits, tokens[:, 1:, None], -1)[..., 0]
    return (jax.nn.logsumexp(logits, -1) - told).mean()


def advance(p, m, v, t, tokens):
    value, g = jax.value_and_grad(loss)(p, tokens)
    length = jnp.sqrt(sum(jnp.vdot(u, u) for u in jax.tree.leaves(g)))
    scale = jnp.minimum(1.0, 1.0 / length)
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * scale * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * (scale * g) ** 2, v, g)
    move = lambda p, m, v: p * (1 - 1e-5) - 1e-3 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return jax.tree.map(move, p, m, v), m, v, value


def products(x, h, wide, w):
    """As many products as the forward pass has, each with operands of its own so that none is shared."""
    out = []
    for l in range(LAYERS):
        part = layer_of(w, l)
        out += [x[l] @ part["qkv"], x[l] @ part["o"], x[l] @ part["up"], h[l] @ part["down"]]
    return out + [x[0] @ wide]


def main():
    key = jax.random.PRNGKey(0)
    p = init(key)
    m, v = jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p)
    batches = [jax.random.randint(jax.random.fold_in(key, 100 + i), (BATCH, CTX), 0, VOCAB) for i in range(4)]
    x = jax.random.normal(key, (LAYERS, BATCH * CTX, D))
    h = jax.random.normal(key, (LAYERS, BATCH * CTX, MLP))
    wide = jax.random.normal(key, (D, VOCAB))
    step = jax.jit(advance, donate_argnums=(0, 1, 2))
    alone = jax.jit(products)
    steps, forwards = [], []
    for i in range(STEPS + 2):
        start = time.perf_counter()
        p, m, v, value = step(p, m, v, i + 1.0, batches[i % 4])
        value.block_until_ready()
        middle = time.perf_counter()
        jax.block_until_ready(alone(x, h, wide, p["layer"]))
        # The first two are compilation and warming up.
        if i >= 2:
            steps.append(middle - start)
            forwards.append(time.perf_counter() - middle)
    found = dict(
        step=statistics.median(steps), step_min=min(steps),
        products=statistics.median(forwards), products_min=min(forwards),
        ratio=statistics.median(steps) / (3 * statistics.median(forwards)),
        ratio_min=min(steps) / (3 * min(forwards)), loss=float(value))
    if "--json" in sys.argv:
        print(json.dumps(found))
    else:
        for name, number in found.items():
            print(f"{name:14s} {number:.4f}")


main()
