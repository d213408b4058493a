"""YAML as people write it: a value that cannot be what it looks like is a mistake with its line, as any other."""

from functools import cache


@cache
def yaml_loader() -> type:
    """
    PyYAML's safe loader, its C one where it is installed: ten times as fast.

    Its constructors raise ValueError without a line for what looks like a date or a number and is none (`2026-02-30`);
    here it is a `yaml.constructor.ConstructorError` with the place.
    """
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
            """What a node stands for."""
            try:
                return super().construct_object(node, deep)
            except ValueError as problem:
                what = f"{node.value} is not what it looks like ({problem}); put it in quotes if it is a text"
                raise yaml.constructor.ConstructorError(None, None, what, node.start_mark) from None

    return Loader
