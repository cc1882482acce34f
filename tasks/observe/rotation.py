"""The secret rotation that binds a case's template to the case (ISO/IEC 24745: cancellable
biometrics).

A template leaves `build_template` only as R v: v the subject's face vector, R an orthogonal matrix
drawn from the Haar measure with a secret of the case. Cosines are unchanged, so nothing is lost in
matching. For one fixed v, R v is uniform on the sphere whatever v is: without the secret the stored
vector says nothing about the face (irreversibility), and the vectors of two cases are as unlike as
those of strangers, also for one person and one picture (unlinkability). That holds for a single
vector: of two under one R their angle would show, which is why a template has one. What is random
here is a ChaCha20 stream under 256 bits, so "nothing" means: nothing without breaking ChaCha20 or
guessing the secret.

docs/decisions/0006-template-protection.md has the reasons, the alternatives and what it does not
protect against.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from numpy.typing import NDArray
from scipy.linalg.lapack import dorgqr

from data_contracts.errors import BadInput, NotAuthorised

SECRET_BYTES = 32
_CHACHA_NONCE = bytes(16)  # a stream is drawn once from each seed


class Rotation:
    """One case's orthogonal matrix R, known by its secret alone. Never travels and never shows the
    secret.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise BadInput(f"a template's secret: expected {SECRET_BYTES} bytes, got {len(secret)}")
        self._seed = hashlib.sha256(b"encounter template rotation\0" + secret).digest()

    def __repr__(self) -> str:
        return "Rotation(secret)"

    def __reduce__(self) -> str:
        raise NotAuthorised(
            "a template's secret does not travel between processes: derive it there from the "
            "case's key"
        )

    def apply(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, d) R times each row of (n, d): lengths and the angles between rows stay, to 1e-12."""
        return np.asarray(vectors, np.float64) @ _haar(self._seed, vectors.shape[1])


# At d = 1024 a matrix takes about 0.1 s, a third of a segment's scan, so each worker keeps the last
# cases': without the sealed template a matrix of random numbers says nothing of anyone.
@lru_cache(maxsize=4)
def _haar(seed: bytes, d: int) -> NDArray[np.float64]:
    """(d, d) from the Haar measure over the orthogonal group: Stewart, SIAM J. Numer. Anal. 17
    (1980) 403, section 3.

    The product of reflections of independent normal vectors of d, d - 1, ..., 1 entries, with
    signs: what the QR factorisation of a normal matrix gives after Mezzadri's correction
    (arXiv:math-ph/0609050), at half the cost.
    """
    rows = np.zeros((d, d))
    rows[np.triu_indices(d)] = _normal_numbers(seed, d * (d + 1) // 2)
    first = np.diag(rows).copy()
    sign = np.where(first < 0, -1.0, 1.0)
    beta = -sign * np.sqrt((rows**2).sum(1))
    rows /= (first - beta)[:, None]
    np.fill_diagonal(rows, 1.0)
    matrix, _, info = dorgqr(np.asfortranarray(rows.T), (beta - first) / beta, lwork=64 * d)
    assert info == 0, "dorgqr refuses only wrong shapes"
    return np.ascontiguousarray(matrix * -sign)


def _normal_numbers(seed: bytes, n: int) -> NDArray[np.float64]:
    """n standard normal numbers from the seed's ChaCha20 stream (Box and Muller 1958), the same on
    every machine.
    """
    half = (n + 1) // 2
    stream = (
        Cipher(algorithms.ChaCha20(seed, _CHACHA_NONCE), None).encryptor().update(bytes(16 * half))
    )
    # 53 random bits a number, never 0 or 1.
    uniform = ((np.frombuffer(stream, "<u8") >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius = np.sqrt(-2 * np.log(uniform[:half]))
    angle = 2 * np.pi * uniform[half:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:n]
