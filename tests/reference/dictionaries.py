"""What `examples/positional_variance.exp` finds, found another way: `python dictionaries.py`, some minutes, prints only.

The model `examples/models/learned` run by `transformers`, dictionaries trained by PyTorch's own gradients and Adam on the
same recipe (other random numbers), the blocked estimate from its table of sums of squares in NumPy. Its bounds in the
example's `expect` are these numbers with room for the seed.
"""

from pathlib import Path

import numpy as np
import torch
import transformers

EXAMPLES = Path(__file__).parents[2] / "examples"
FEATURES, K, STEPS, BATCH, RATE, WINDOWS = 1024, 16, 500, 2048, 0.004, 2048


def windows():
    """[windows, 256] training text, [windows, 256] held-out text, and the address of each held-out window."""
    stream = np.load(EXAMPLES / "data" / "sotu.tokens.npy").astype(np.int64)
    address = np.cumsum(stream == 0)
    held_out = np.arange(len(stream)) // 4096 % 20 == 7

    def fits(s, wanted):
        return stream[s] != 0 and address[s] == address[s + 254] and (held_out[s : s + 255] == wanted).all()

    places = [s for s in range(len(stream) - 254) if fits(s, False)]
    training = places[:: len(places) // WINDOWS][:WINDOWS]
    judged = [s for s in range(0, len(stream) - 254, 256) if fits(s, True)]
    cut = lambda starts: np.array([np.concatenate([[0], stream[s : s + 255]]) for s in starts])
    return cut(training), cut(judged), address[judged]


def residuals(model, tokens):
    """The inputs of all layers at indices 1..255, [layer, windows, 255, d_model]."""
    parts = []
    with torch.no_grad():
        for part in np.array_split(tokens, max(1, len(tokens) // 64)):
            states = model(torch.tensor(part), output_hidden_states=True).hidden_states
            parts.append(torch.stack([states[l][:, 1:] for l in range(4)]))
    return torch.cat(parts, 1)


def code(x, p):
    z = torch.relu((x - p["b_dec"]) @ p["W_enc"] + p["b_enc"])
    kept = z.topk(K, dim=-1)
    return torch.zeros_like(z).scatter(-1, kept.indices, kept.values)


def dictionary(x, generator):
    rows = torch.nn.functional.normalize(torch.randn(FEATURES, x.shape[1], generator=generator), dim=1)
    p = {"W_enc": rows.T.clone(), "b_enc": torch.zeros(FEATURES), "W_dec": rows.clone(), "b_dec": x[:4096].mean(0)}
    for value in p.values():
        value.requires_grad_()
    adam = torch.optim.Adam(p.values(), lr=RATE, betas=(0.9, 0.99))
    for step in range(STEPS):
        drawn = x[torch.randint(len(x), (BATCH,), generator=generator)]
        adam.zero_grad()
        ((code(drawn, p) @ p["W_dec"] + p["b_dec"] - drawn) ** 2).mean().backward()
        with torch.no_grad():
            g, w = p["W_dec"].grad, p["W_dec"]
            g -= (g * w).sum(1, keepdim=True) * w
            torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
            adam.param_groups[0]["lr"] = RATE * min(1, (step + 1) / 20) * min(1, (STEPS - step) / (0.5 * STEPS))
            adam.step()
            w /= w.norm(dim=1, keepdim=True)
    return {name: value.detach() for name, value in p.items()}


def blocked(a):
    """The blocked estimate for each column of a [sequences, positions, columns], and the columns' variance."""
    a = a.astype(np.float64)
    S, T, _ = a.shape
    grand = a.mean((0, 1))
    ss_pos = S * ((a.mean(0) - grand) ** 2).sum(0)
    ss_seq = T * ((a.mean(1) - grand) ** 2).sum(0)
    ss_all = ((a - grand) ** 2).sum((0, 1))
    ms_res = (ss_all - ss_pos - ss_seq) / ((S - 1) * (T - 1))
    share = np.divide(ss_pos - (T - 1) * ms_res, ss_all, out=np.zeros_like(ss_all), where=ss_all > 0)
    return share, ss_all / (S * T)


def main():
    model = transformers.GPT2LMHeadModel.from_pretrained(EXAMPLES / "models" / "learned").eval()
    training, held, address = windows()
    print(f"{len(training)} training windows, {len(held)} judged from {len(set(address))} addresses")
    learned, judged = residuals(model, training), residuals(model, held)
    for layer in range(4):
        x = learned[layer].flatten(0, 1)
        unit = 1 / (x**2).mean().sqrt()
        p = dictionary(x * unit, torch.Generator().manual_seed(layer))
        y = judged[layer] * unit
        found = code(y, p)
        missed = ((found @ p["W_dec"] + p["b_dec"] - y) ** 2).sum() / ((y - y.mean((0, 1))) ** 2).sum()
        pve, _ = blocked(found.numpy())
        stream, variance = blocked(y.numpy())
        fired = (found > 0).numpy()
        documents = sum(fired[address == d].any((0, 1)) for d in set(address))
        live = (fired.sum((0, 1)) >= 200) & (documents >= 20)
        mixed = (pve[live] >= 0.05) & (pve[live] <= 0.95)
        clipped = np.clip(pve[live], 0, 1)
        print(f"layer {layer}: FVU {missed:.4f}, stream {(stream * variance).sum() / variance.sum():.4f}, live {live.sum()}, "
              f"dead {(~fired.any((0, 1))).mean():.3f}, mixed {mixed.mean():.4f}, polarisation {1 - 4 * (clipped * (1 - clipped)).mean():.4f}, "
              f"highest {np.round(np.sort(pve[live])[::-1][:10], 3)}")  # fmt: skip


main()
