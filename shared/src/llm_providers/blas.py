"""One thread for NumPy's matrix products, unless the environment says otherwise; imported before NumPy is.

OpenBLAS's threads spin while they wait for one another: with two on busy cores, a product of a millisecond took up to 70 of
CPU. Those here are small, and the encoder's own threads do not use it.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
