"""The object store's errors, mapped to ours at the one place where its client is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import urllib3.exceptions as net
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from data_contracts.errors import NotFound, StoreError

_MISSING_CODES = {"NoSuchKey", "NoSuchVersion", "NoSuchObject", "NoSuchUpload", "ResourceNotFound"}
_UNKNOWN_USER = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AuthorizationHeaderMalformed",
    "InvalidSecurity",
}
_DENIED_CODES = {"AccessDenied", "AllAccessDisabled", "AccountProblem"}
_BUSY_CODES = {
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "XMinioServerNotInitialized",
    "RequestTimeout",
}


_UNSUPPORTED_CODES = {
    "ObjectLockConfigurationNotFoundError",
    "NotImplemented",
    "MethodNotAllowed",
    "InvalidBucketState",
    "UnsupportedOperation",
}

T = TypeVar("T")


class Unsupported(StoreError):
    """The store or this bucket has no such feature."""


class Exists(StoreError):
    """A conditional request found another object. Never leaves `infra.store`."""


class BrokenOff(StoreError):
    """The connection broke, or stood still, in the middle of an answer. Never leaves `infra.store`
    but after several tries.
    """


class Unreadable(StoreError):
    """The store has the object's name and cannot give its bytes."""


def mapped(call: Callable[[], T], endpoint: str, bucket: str, key: str = "") -> T:
    """The call's result; every error of the S3 client becomes StoreError or NotFound with a line
    that says what to do.

    The error is raised outside the handler on purpose: the client's own error would stay in its
    context, holds a socket, and would keep the error from being pickled on its way out of a Dask
    worker.
    """
    try:
        return call()
    except S3Error as error:
        failure = _from_s3(error, endpoint, bucket, key)
    except InvalidResponseError as error:
        failure = StoreError(
            f"{endpoint} answered, but not as an S3 server ({_error_text(error)}): check "
            "s3.endpoint and s3.secure"
        )
    except ServerError as error:
        failure = StoreError(
            f"the object store at {endpoint} failed ({_error_text(error)}): look at its log and "
            "retry"
        )
    except (net.HTTPError, OSError) as error:
        failure = _from_network(error, endpoint)
    except (MinioException, ValueError) as error:
        failure = StoreError(
            f"{bucket}/{key}: the object store client refused: {_error_text(error)}"
        )
    raise failure


def _from_s3(error: S3Error, endpoint: str, bucket: str, key: str) -> StoreError:
    code = error.code or "unknown"
    if code in _MISSING_CODES:
        return NotFound(f"{bucket}/{key} does not exist at {endpoint}")
    if code == "NoSuchBucket":
        return StoreError(
            f"bucket {bucket} does not exist at {endpoint}: create the buckets with `encounter up`"
        )
    if code in ("PreconditionFailed", "ConditionalRequestConflict"):
        return Exists(f"{bucket}/{key} exists")
    if code in _UNSUPPORTED_CODES:
        return Unsupported(f"bucket {bucket} at {endpoint}: {code}")
    if code in _UNKNOWN_USER:
        return StoreError(
            f"{endpoint} refuses the credentials ({code}): check s3.access_key and s3.secret_key, "
            "and this clock's time"
        )
    if code == "RequestTimeTooSkewed":
        return StoreError(
            f"{endpoint} refuses: this machine's clock and the store's differ; set the clock"
        )
    if code in _DENIED_CODES:
        return StoreError(
            f"{endpoint} denies access to {bucket}/{key}: check s3.access_key, s3.secret_key and "
            "that user's rights"
        )
    if code in _BUSY_CODES:
        kind = Unreadable if code == "InternalError" else StoreError
        return kind(
            f"the object store at {endpoint} failed ({code}) on {bucket}/{key}: look at its log "
            "and retry"
        )
    return StoreError(f"{bucket}/{key} at {endpoint}: {code}: {error.message}")


def _from_network(error: BaseException, endpoint: str) -> StoreError:
    cause = error.reason if isinstance(error, net.MaxRetryError) and error.reason else error
    # Others the client's connection has tried again already.
    in_the_answer = cause is error and isinstance(error, net.ProtocolError | net.ReadTimeoutError)
    kind = BrokenOff if in_the_answer else StoreError
    if isinstance(cause, net.SSLError):
        return StoreError(
            f"{endpoint} does not speak TLS as expected ({_error_text(cause)}): check s3.secure "
            "and certificates"
        )
    if isinstance(
        cause, net.ConnectTimeoutError | net.NewConnectionError | net.NameResolutionError
    ):
        return StoreError(
            f"no object store answers at {endpoint}: start it with `encounter up` or check "
            "s3.endpoint"
        )
    if isinstance(cause, net.ReadTimeoutError):
        return kind(
            f"the object store at {endpoint} did not answer in time: retry, or raise "
            "s3.read_timeout_s"
        )
    if isinstance(error, net.HTTPError):
        return kind(
            f"the connection to {endpoint} broke ({type(cause).__name__}): retry, or look at its "
            "log"
        )
    return StoreError(f"{endpoint}: {_error_text(error)}")


def _error_text(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
