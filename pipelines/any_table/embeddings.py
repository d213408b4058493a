"""Vectors of texts by a sentence-transformers model, kept by a digest of each text, so that no text is read twice."""

import hashlib
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.any_table.question import CannotPredict

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

INSTALL = "pip install '.[embeddings]'"
BATCH = 64
DIGEST_BYTES = 16
CACHE = "embeddings"
"""The folder of kept vectors."""


def vectors_of(
    texts: Sequence[str], source: str, cache: Path, say: Callable[[str], None] = lambda message: None
) -> np.ndarray:
    """
    The vectors of cleaned texts (texts × size, float32), of length 1.

    `source`: a folder with a sentence-transformers model, or its name on the hub, which is fetched from there. `cache`:
    a folder; a file of digests and vectors for each model is kept in it, no text. Raises CannotPredict where the extra
    is not installed, or the model cannot be read.
    """
    path = cache / f"{_digest_of(source)}.npz"
    known = _kept(path)
    digests = [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest() for text in texts
    ]
    new = {digest: text for digest, text in zip(digests, texts, strict=True) if digest not in known}
    if new:
        say(f"reading {len(new):,} texts with {source}")
        known |= dict(zip(new, _encoded(list(new.values()), source), strict=True))
        _keep(path, known)
    if not texts:
        return np.zeros((0, 0), dtype=np.float32)
    return np.stack([known[digest] for digest in digests])


def _encoded(texts: list[str], source: str) -> np.ndarray:
    model = _model(source)
    vectors = model.encode(
        texts, batch_size=BATCH, convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False
    )
    return np.asarray(vectors, dtype=np.float32)


def _model(source: str) -> "SentenceTransformer":
    # Its progress bars and advice are nothing to whoever asked for labels.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as problem:
        raise CannotPredict(
            f"--embeddings needs sentence-transformers, which is not installed ({problem}): {INSTALL}"
        ) from None
    is_folder = Path(source).is_dir()
    if not is_folder and _looks_like_a_folder(source):
        raise CannotPredict(
            f"--embeddings {source}: there is no such folder; name one with a sentence-transformers model."
        )
    try:
        return SentenceTransformer(source, device="cpu", local_files_only=is_folder)
    except Exception as problem:  # whatever the library, its parts and the network stumble over
        words = " ".join(f"{type(problem).__name__}: {problem}".split())[:200]
        raise CannotPredict(
            f"--embeddings {source} is no sentence-transformers model that can be read ({words})."
        ) from None


def _looks_like_a_folder(source: str) -> bool:
    return source.startswith((".", "/", "~")) or source.count("/") > 1 or (os.sep != "/" and os.sep in source)


def _digest_of(source: str) -> str:
    """Of the files of a folder, so that another model in it has other vectors; of the name of one on the hub."""
    folder, digest = Path(source), hashlib.sha256()
    if not folder.is_dir():
        digest.update(source.encode())
        return digest.hexdigest()[:16]
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        digest.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _kept(path: Path) -> dict[bytes, np.ndarray]:
    """Digest of a text → its vector; nothing where there is no file, or one that was cut off."""
    try:
        with np.load(path, allow_pickle=False) as file:
            digests, vectors = file["digests"], file["vectors"]
    except (FileNotFoundError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
    return {digest.tobytes(): vector for digest, vector in zip(digests, vectors, strict=True)}


def _keep(path: Path, known: dict[bytes, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    digests = np.frombuffer(b"".join(known), dtype=np.uint8).reshape(-1, DIGEST_BYTES)
    with unfinished.open("wb") as file:
        np.savez(file, digests=digests, vectors=np.stack(list(known.values())))
    unfinished.replace(path)
