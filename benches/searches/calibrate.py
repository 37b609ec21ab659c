"""Fits the coefficients that turn cosines and names into probabilities.

    python calibrate.py dev.json nothing.json

The files are reports of `earmark eval FOLDER --searches TABLE --json`. Prints the manifest's
`scores.likelihood`, and the constants of `crates/engine/src/search/likelihood.rs`. Needs NumPy and
scikit-learn.
"""

import json
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression

LEAST_DEVIATION = 0.02
LEAST_SOUND = -6.0


def log_odds(p):
    return np.clip(np.log(p / (1 - p)), -7, 7)


def hits(report, by):
    """Rows [outstanding, cosine, familiarity, coverage, right] of the hits ranked one way."""
    for query in report["queries"]:
        mean, deviation = query["usual"]
        familiarity = query["familiarity"]
        known = 0.0 if familiarity is None else float(log_odds(familiarity))
        for way in query["ways"]:
            if way["by"] in by:
                for hit in way["hits"]:
                    score = hit["score"]
                    outstanding = (score - mean) / max(deviation, LEAST_DEVIATION)
                    yield hit["path"], [outstanding, score, known, hit["coverage"] or 0.0, hit["is_right"]]


def fit(columns, right):
    model = LogisticRegression(C=100, max_iter=1000).fit(columns, right)
    return [float(model.intercept_[0]), *map(float, model.coef_[0])]


reports = [json.load(open(path)) for path in sys.argv[1:]]
sound = np.array([row for report in reports for _, row in hits(report, {"sound"})], dtype=float)
likelihood = fit(sound[:, :3], sound[:, 4])
print("scores.likelihood: bias, outstanding, cosine, familiarity:", np.round(likelihood, 3))
print("UNCALIBRATED: bias, outstanding:", np.round(fit(sound[sound[:, 2] > 0][:, :1], sound[sound[:, 2] > 0][:, 4]), 3))

# Each clip once a query, however it was found.
both = []
for report in reports:
    for query in report["queries"]:
        both += dict(hits({"queries": [query]}, {"sound", "name"})).values()
both = np.array(both, dtype=float)
named = both[both[:, 3] > 0]
print("NAME: bias, coverage:", np.round(fit(named[:, 3:4], named[:, 4]), 3))
by_sound = np.maximum(likelihood[0] + both[:, :3] @ np.array(likelihood[1:]), LEAST_SOUND)
print("BOTH: bias, sound, coverage:", np.round(fit(np.stack([by_sound, both[:, 3]], 1), both[:, 4]), 3))
