"""The component that `type: pipelines.components.text.Text` in a YAML names."""

from pipelines.components.text.component import Text

__all__ = ["Text"]
