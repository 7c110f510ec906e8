"""Naive Bayes over words: is the writer glad? For the pipeline and the graph."""

from collections import Counter
from math import log


def features(text, words):
    """All runs of up to so many words."""
    split = text.split()
    return [
        " ".join(split[at : at + length])
        for length in range(1, words + 1)
        for at in range(len(split) - length + 1)
    ]


def fit(tweets, words, smoothing):
    counts = {True: Counter(), False: Counter()}
    for tweet in tweets:
        counts[tweet["glad"]].update(features(tweet["text"], words))
    known = set(counts[True]) | set(counts[False])
    totals = {glad: sum(counts[glad].values()) + smoothing * len(known) for glad in counts}
    weights = {
        feature: log((counts[True][feature] + smoothing) / totals[True])
        - log((counts[False][feature] + smoothing) / totals[False])
        for feature in known
    }
    return {"words": words, "weights": weights}


def is_glad(model, text):
    weights = model["weights"]
    return sum(weights.get(one, 0.0) for one in features(text, model["words"])) > 0


def right(model, tweets):
    """The share of the tweets that it judges as people did."""
    return sum(is_glad(model, one["text"]) == one["glad"] for one in tweets) / len(tweets)


def score(args, api):
    """How well what has learned from the other folds judges this one."""
    fold, params = args["input"]
    return right(fit(fold["learn"], **params), fold["test"])


def train(args, api):
    """A model with the parameters that were found, and how well they do on each fold."""
    params, folds = args["input"]
    tries = [api.start_algorithm("score", [fold, params], blocking=False) for fold in folds]
    model = fit([tweet for fold in folds for tweet in fold["test"]], **params)
    return {"model": model, "accuracy": sum(one.result() for one in tries) / len(tries)}


def enrich(args, api):
    """A stateless node of the graph: the message, with a mood."""
    (model,) = args["input"]
    tweet = args["streamInput"]["message"]
    return {**tweet, "mood": "glad" if is_glad(model, tweet["text"]) else "sad"}
