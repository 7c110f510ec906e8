"""Trains a Keras model on readings of machines, and saves it."""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

SEED = 7
READINGS = 4_000


def readings(count: int, seed: int) -> "tuple[np.ndarray, np.ndarray]":
    """Temperature, vibration and load of machines, and which of them are about to fail."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, 3)).astype("float32")
    temperature, vibration, load = features.T
    # Hot machines fail, and so do those that shake under load: no straight line divides them.
    failing = (temperature > 1.2) | (vibration * load > 0.8)
    return features, failing.astype("float32")


def train(tasks: "list[dict]") -> "list[dict]":
    """For each task `{"model": path}`: trains, saves, and tries unseen readings."""
    return [train_one(task["model"]) for task in tasks]


def train_one(path: str) -> dict:
    keras.utils.set_random_seed(SEED)
    model = keras.Sequential(
        [
            keras.layers.Input((3,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy")
    features, failing = readings(READINGS, SEED)
    history = model.fit(features, failing, epochs=30, batch_size=256, verbose=0)
    # Beside it first: an interpreter that loads it now must not read half of it.
    draft = f"{path}.{os.getpid()}.keras"
    model.save(draft)
    os.replace(draft, path)
    unseen, truth = readings(1_000, SEED + 1)
    right = (model.predict_on_batch(unseen)[:, 0] > 0.5) == (truth > 0.5)
    return {
        "loss": [round(float(loss), 4) for loss in history.history["loss"]],
        "accuracy": float(right.mean()),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "executable": sys.executable,
    }
