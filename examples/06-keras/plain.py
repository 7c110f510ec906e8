"""The same scores by Keras alone: `python plain.py MODEL < READINGS`, a line of JSON each way."""

import json
import sys

import keras
import numpy as np

model = keras.saving.load_model(sys.argv[1])
readings = json.load(sys.stdin)
features = np.array([[r["temperature"], r["vibration"], r["load"]] for r in readings], "float32")
print(json.dumps(model.predict(features, verbose=0)[:, 0].tolist()))
