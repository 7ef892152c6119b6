# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [markdown]
# # 13 · A language model
#
# **How probable is a sentence, and what does a model say when it is asked to go on?**
#
# By the product rule, with `<EOS>` as the last symbol,
#
# $$P(y^{\langle 1\rangle} \dots y^{\langle T\rangle}) = \prod_t P(y^{\langle t\rangle} \mid
# y^{\langle 1\rangle} \dots y^{\langle t-1\rangle}), \qquad \text{perplexity} = \exp\Bigl(-\frac1T \log P\Bigr),$$
#
# each factor a softmax over the vocabulary, after what was read. What is not in it is `<UNK>`.

# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np

from tinygrad_rnn import cross_entropy, grad, log_softmax, nn, one_hot, optim, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, question
from tinygrad_rnn.text import CharVocabulary, WordVocabulary, pad

toy = nn.LanguageModel(vocabulary=3, hidden_size=4, layer=nn.GRU, seed=0)  # 0 is <EOS>
logits, _ = toy(tensor(np.array([[0], [1], [2]])))  # given <EOS> 1 2: what comes next?
log_p = log_softmax(logits, -1).detach().numpy()[:, 0]
print("log P(1 2 <EOS>) =", round(float(log_p[[0, 1, 2], [1, 2, 0]].sum()), 5))  # Σ_t log P(y⟨t⟩|…)
print("the model says    ", round(toy.log_prob([1, 2], start=0, end=0), 5))

# %% [markdown]
# ## The graph of the code just run
# A loss at each step, the same words as input and, one step earlier, as target:

# %%
sentence = np.array([[0], [1], [2]])
logits, _ = toy(tensor(sentence))
loss = cross_entropy(logits[:, 0], tensor(np.array([1, 2, 0])), reduction="sum")  # −log P
flow = loss.backward(record="norm")
draw(loss, view="cell", title="−log P of a sentence of two words")

# %% [markdown]
# ## Predict, then run: what do all sentences sum to?
# Of two words one can make $2^n$ sentences of length $n$. Add up the probabilities of all with at most
# 6 words. Is it 1? What is missing?

# %%
total = 0.0
for n in range(7):
    lines = itertools.product([1, 2], repeat=n)
    total += sum(np.exp(toy.log_prob(line, start=0, end=0)) for line in lines)
    print(f"up to {n} words: {total:.4f}")

# %% [markdown]
# The rest belongs to longer ones: `<EOS>` is what makes a distribution over sentences of *all* lengths.

# %% [markdown]
# ## Exercises

# %%
for number in ("13.1", "13.2", "13.3", "13.4"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def sentence_log_prob(log_p, tokens):
    return log_p[range(len(tokens)), tokens].sum()


def tempered(logits, tau):
    p = np.exp((logits - logits.max()) / tau)
    return p / p.sum()


def encode(words, vocabulary):
    return [vocabulary.get(w, vocabulary["<UNK>"]) for w in words] + [vocabulary["<EOS>"]]


check("13.1", sentence_log_prob)
check("13.2", lambda log_p: np.exp(-log_p.mean()))
check("13.3", tempered)
check("13.4", encode)
### END SOLUTION

# %% [markdown]
# ## A task: names of places that do not exist
# The corpus is made from syllables; one in ten names is kept apart.

# %%
first = "bal car dun el fair glen hart inver kil lang mor nor oak pen rath stone thorn wes".split()
last = "ton ham ford by wick dale field burn ness mouth port bridge stead".split()
rng = np.random.default_rng(0)
names = sorted(
    f + m + e for f in first for e in last for m in ("", "er", "ing") if rng.random() < 0.6
)
rng.shuffle(names)
kept, names = names[: len(names) // 10], names[len(names) // 10 :]
letters = CharVocabulary.of(names, specials=("<PAD>", "<EOS>"))
print(len(names), "names such as", names[0], "and", names[1], "—", len(letters), "symbols")


def batch_of(names):
    lines, _ = pad([letters.encode(name, eos=True) for name in names], value=letters.pad)
    start = np.full((1, len(names)), letters.eos)
    return tensor(np.concatenate([start, lines.numpy()[:-1]])), lines


model = nn.LanguageModel(len(letters), hidden_size=48, embedding_size=16, seed=0)
adam, losses = optim.Adam(model.parameters(), lr=8e-3), []
for _ in range(220):
    given, wanted = batch_of([names[k] for k in rng.integers(0, len(names), 24)])
    adam.zero_grad()
    loss, _ = model.loss(given, wanted, ignore_index=letters.pad)
    loss.backward()
    nn.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()
    losses.append(loss.item())
for what, some in (("names it learned from", names[:60]), ("names kept apart", kept)):
    given, wanted = batch_of(some)
    nats = model.loss(given, wanted, ignore_index=letters.pad)[0].item()
    print(f"perplexity of {what}: {np.exp(nats):.2f}")

# %% [markdown]
# Sampling with temperature $\tau$: $p_i^{1/\tau}$, normalised.

# %%
for tau in (0.5, 1.0, 2.0):
    invented = [
        letters.decode(model.sample([letters.eos], 20, letters.eos, seed=k, temperature=tau))
        for k in range(6)
    ]
    print(f"τ = {tau}:", *invented)
scores = {name: model.log_prob(letters.encode(name), letters.eos, letters.eos) for name in
          ("oakford", "oakfrod", "langingby", "tobias")}  # fmt: skip
print("log P:", {name: round(score, 1) for name, score in scores.items()})

# %% [markdown]
# ## What did it look at?
# $\|\partial \log P(y^{\langle t\rangle} \mid \dots)/\partial e^{\langle k\rangle}\|$: how much each letter read so
# far, $e$ being its embedding, moves the next one's probability.

# %%
name = "inveringbridge"
line = letters.encode(name, eos=True)
given = one_hot(tensor(np.concatenate([[letters.eos], line[:-1]])), len(letters)).float()
e = (given @ model.embedding.weight.detach()).unsqueeze(1).detach().requires_grad_()
h, _ = model.layer(e)
log_p = log_softmax(model.output(h), -1)
table = np.full((len(line), len(line)), np.nan)
for t in range(len(line)):
    (g,) = grad(log_p[t, 0, int(line[t])], [e], retain_graph=True)
    table[t, : t + 1] = np.linalg.norm(g.numpy()[: t + 1, 0], axis=-1)
fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
axes[0].plot(losses, color="#00224e")
axes[0].set(title="Learning", xlabel="update", ylabel="−log P per letter, nats")
shown = axes[1].imshow(np.log10(table + 1e-6), cmap="cividis_r", vmin=-3)
axes[1].set_xticks(range(len(line)), ["·", *name])
axes[1].set_yticks(range(len(line)), [*name, "·"])
axes[1].set(
    title="Who moves whom (· begins, ends)", xlabel="letter read", ylabel="letter to be said"
)
fig.colorbar(shown, label="log₁₀ of the gradient's norm")
plt.show()

# %% [markdown]
# ## Words instead of letters
# Rare words become `<UNK>`; speech recognition ranks hypotheses by $P$.

# %%
said = "the cat sat on the mat . the dog sat on the mat . the cat saw the dog . " * 8
vocabulary = WordVocabulary.of(said, min_count=2, specials=("<UNK>",))
numbers = vocabulary.encode(said)
speaker = nn.LanguageModel(len(vocabulary), 24, seed=0)
adam = optim.Adam(speaker.parameters(), lr=2e-2)
for _ in range(60):
    adam.zero_grad()
    speaker.loss(tensor(numbers[:-1, None]), numbers[1:, None])[0].backward()
    adam.step()
for hypothesis in (
    "the cat sat on the mat .",
    "the mat sat on the cat .",
    "the cat sat on the gnat .",
):
    line = vocabulary.encode(hypothesis)
    print(f"{vocabulary.decode(line):27s} log P = {speaker.log_prob(line, vocabulary['.']):7.2f}")

# %% [markdown]
# ## What this does not show
# Meaning. The names follow a grammar of syllables that a table of pairs would nearly catch. Perplexities
# compare only over the same vocabulary: per letter and per word are different questions.
#
# In the code: [LanguageModel](../tinygrad_rnn/nn/language_model.py),
# [sampling](../tinygrad_rnn/nn/decoding.py), [vocabularies](../tinygrad_rnn/text/vocabulary.py); tests:
# [`test_the_probabilities_of_all_sentences_sum_to_one`](../tests/project/test_equations.py),
# [decoding](../tests/nn/test_decoding.py).
