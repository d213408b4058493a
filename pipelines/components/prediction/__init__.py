"""The component that `type: pipelines.components.prediction.Prediction` in a YAML names."""

from pipelines.components.prediction.component import Prediction

__all__ = ["Prediction"]
