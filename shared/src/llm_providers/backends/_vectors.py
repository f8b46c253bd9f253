"""What every engine's vectors must be before they leave a backend."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from llm_providers.errors import InvalidResponse
from llm_providers.types import Vectors


def unit_rows(rows: ArrayLike, count: int, backend: str) -> Vectors:
    """Return float32 of shape (count, dimension), rows of unit length; raises `InvalidResponse` where that can't be."""
    try:
        matrix = np.asarray(rows, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise InvalidResponse("the vectors differ in length", backend=backend) from error
    if matrix.ndim != 2 or matrix.shape[0] != count or matrix.shape[1] == 0:
        raise InvalidResponse(f"expected {count} vectors, got an array of shape {matrix.shape}", backend=backend)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise InvalidResponse("a vector is zero or not finite", backend=backend)
    unit: Vectors = matrix / lengths
    return unit
