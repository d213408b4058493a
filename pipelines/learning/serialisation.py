"""A model's plain values as bytes. Apart from the rest, so that a process of its own can do it with few imports."""


def to_skops(state: dict) -> bytes:
    """Plain values and arrays in skops' format, compressed."""
    import zipfile

    import skops.io

    return skops.io.dumps(state, compression=zipfile.ZIP_DEFLATED, compresslevel=3)
