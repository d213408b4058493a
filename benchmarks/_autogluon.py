"""
AutoGluon's side of benchmarks/predictions.py and amounts.py: runs in `.venv-bench`, where Scorecast is not installed.

Argument: a JSON file with `train` and `test` (CSV; `test` without the target), `target`, `positive` (none for an
amount or classes), `is_amount`, `drop` (columns), `seconds`, `folder` (for its models) and `answer`, the JSON file to
write: `probability` (of yes, or by class; of an amount `said`) in the order of `test`, `fit_seconds`,
`predict_seconds`, `version`, and the models that it had time for. Reading and imports are not timed.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from autogluon.tabular import TabularPredictor

request = json.loads(Path(sys.argv[1]).read_text())
# One blank makes a column of numbers text for pandas; AutoGluon does better when told that it is a missing value.
train = pd.read_csv(request["train"], na_values=" ").drop(columns=request["drop"])
test = pd.read_csv(request["test"], na_values=" ").drop(columns=request["drop"])
kind, metric = "multiclass", "log_loss"
if request.get("is_amount"):
    kind, metric = "regression", "mean_absolute_error"
elif "positive" in request:
    kind = "binary"
    positive = next(value for value in train[request["target"]].unique() if str(value) == request["positive"])

started = time.perf_counter()
predictor = TabularPredictor(
    request["target"], problem_type=kind, eval_metric=metric, path=request["folder"], verbosity=0
)
predictor.fit(train, presets="good_quality", time_limit=request["seconds"], num_cpus=2, num_gpus=0)
fitted = time.perf_counter()
said = predictor.predict(test) if kind == "regression" else predictor.predict_proba(test)
predicted = time.perf_counter()
if kind == "regression":
    answers = {"said": said.tolist()}
elif kind == "binary":
    answers = {"probability": said[positive].tolist()}
else:
    answers = {"probability": {str(name): said[name].tolist() for name in said.columns}}

answer = {
    **answers,
    "fit_seconds": fitted - started,
    "predict_seconds": predicted - fitted,
    "version": version("autogluon.tabular"),
    "models": predictor.model_names(),
    "best": predictor.model_best,
}
Path(request["answer"]).write_text(json.dumps(answer))
