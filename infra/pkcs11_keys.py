"""Master keys in a hardware security module, by PKCS#11: they never leave it.

A key is an AES-256 object of the token, sensitive and not extractable. Data keys go in and come out
wrapped (AES-256-GCM inside the token, in the layout of `infra.crypto`, bound to the case). Its
CKA_ID is a generation (4 bytes, big-endian) and 8 random bytes: the highest is the newest.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from data_contracts.errors import BadInput, KeyMissing
from infra.crypto import HEADER, NONCE_BYTES, TAG_BYTES, bound_to
from infra.master_keys import MasterKey, MasterKeys, wrapped_name
from infra.settings import PKCS11_PIN_VARIABLE, Pkcs11Settings, Settings
from infra.stack_record import read_private

try:
    import pkcs11
    from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, MechanismFlag, ObjectClass
    from pkcs11 import exceptions as token_error
except ImportError:
    raise KeyMissing(
        "keys.source is pkcs11 and the binding is not installed: pip install 'encounter[pkcs11]'"
    ) from None

_GENERATION_BYTES = 4
_RANDOM_BYTES = 8

T = TypeVar("T")


class TokenKeys(MasterKeys):
    """The keys of one label in one token."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._token: _Token | None = None

    def read(self) -> Sequence[MasterKey]:
        """The token's keys of the label."""
        found = self._present()
        if not found:
            raise KeyMissing(
                f"no key {self._chosen.label!r} in token {self._chosen.token!r}: `encounter up` "
                "makes one, or check keys.pkcs11.token"
            )
        return found

    def is_empty(self) -> bool:
        """Whether the token has no key of the label."""
        return not self._present()

    def _present(self) -> list[MasterKey]:
        template = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: self._chosen.label}
        ids = self._open().do(lambda s: [bytes(k.id) for k in s.get_objects(template)])
        return [TokenKey(self._open(), key_id) for key_id in sorted(ids, reverse=True)]

    def add(self) -> MasterKey:
        """Generate a key inside the token."""
        ids = [bytes.fromhex(key.key_id) for key in self._present()]
        last = max((int.from_bytes(i[:_GENERATION_BYTES], "big") for i in ids), default=0)
        key_id = (last + 1).to_bytes(_GENERATION_BYTES, "big") + secrets.token_bytes(_RANDOM_BYTES)

        def generate(session: Any) -> None:
            session.generate_key(
                KeyType.AES,
                256,
                id=key_id,
                label=self._chosen.label,
                store=True,
                capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
                template={
                    Attribute.PRIVATE: True,
                    Attribute.SENSITIVE: True,
                    Attribute.EXTRACTABLE: False,
                    Attribute.MODIFIABLE: False,
                },
            )

        self._open().do(generate)
        return TokenKey(self._open(), key_id)

    def destroy(self, key_id: str) -> None:
        """Destroy the object in the token."""

        def destroy(session: Any) -> None:
            for key in session.get_objects({Attribute.ID: bytes.fromhex(key_id)}):
                key.destroy()

        self._open().do(destroy)

    @property
    def _chosen(self) -> Pkcs11Settings:
        return self._settings.keys.pkcs11

    def _open(self) -> _Token:
        if self._token is None:
            self._token = _Token(self._chosen, _pin(self._settings))
        return self._token


class TokenKey:
    """One key in the token."""

    def __init__(self, token: _Token, key_id: bytes) -> None:
        self._token = token
        self._id = key_id

    def __repr__(self) -> str:
        return f"TokenKey({self.key_id})"

    @property
    def key_id(self) -> str:
        """CKA_ID in hex."""
        return self._id.hex()

    def wrap(self, data_key: bytes, context: str) -> bytes:
        """Encrypt a data key inside the token, bound to `context`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return HEADER + nonce + self._crypt("encrypt", data_key, nonce, context)

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """The data key again. Raises KeyMissing."""
        start = len(HEADER) + NONCE_BYTES
        if wrapped[: len(HEADER)] != HEADER or len(wrapped) < start + TAG_BYTES:
            raise KeyMissing(f"the wrapped key of {context} is damaged: restore it from a backup")
        return self._crypt("decrypt", wrapped[start:], wrapped[len(HEADER) : start], context)

    def _crypt(self, verb: str, data: bytes, nonce: bytes, context: str) -> bytes:
        how = GCMParams(nonce, bound_to(wrapped_name(context)), 8 * TAG_BYTES)

        def crypt(session: Any) -> bytes:
            key = session.get_key(object_class=ObjectClass.SECRET_KEY, id=self._id)
            method = getattr(key, verb)
            return bytes(method(data, mechanism=Mechanism.AES_GCM, mechanism_param=how))

        try:
            return self._token.do(crypt)
        except token_error.NoSuchKey:
            raise KeyMissing(f"master key {self.key_id} is not in the token any more") from None
        except _Failed as failure:
            raise KeyMissing(
                f"the token did not {verb} the key of case {context} ({failure}): it was changed, "
                "moved, or wrapped by another key"
            ) from None


class _Failed(KeyMissing):
    """What the token said, by the name of its error."""


class _Token:
    """A session with a token; one operation at a time, opened again when it was lost."""

    def __init__(self, chosen: Pkcs11Settings, pin: str) -> None:
        self._chosen = chosen
        self._pin = pin
        self._lock = threading.Lock()
        self._opened: Any = None

    def do(self, work: Callable[[Any], T]) -> T:
        """Run `work` with a session that is logged in. Raises KeyMissing where none can be had,
        NoSuchKey, _Failed.
        """
        with self._lock:
            try:
                return work(self._open())
            except (
                token_error.SessionHandleInvalid,
                token_error.SessionClosed,
                token_error.DeviceRemoved,
                token_error.UserNotLoggedIn,
            ):
                self._opened = None
                with _named_errors():
                    return work(self._open())
            except token_error.NoSuchKey:
                raise
            except token_error.PKCS11Error as error:
                raise _Failed(f"the token failed: {_name(error)}") from None

    def _open(self) -> Any:
        if self._opened is None:
            self._opened = self._connect()
        return self._opened

    def _connect(self) -> Any:
        chosen = self._chosen
        try:
            token = pkcs11.lib(str(chosen.module)).get_token(token_label=chosen.token)
            return token.open(user_pin=self._pin, rw=True)
        except token_error.UserAlreadyLoggedIn:
            return token.open(rw=True)
        except token_error.NoSuchToken:
            raise KeyMissing(
                f"no token {chosen.token!r} at {chosen.module}: plug it in or make it, and check "
                "keys.pkcs11.token"
            ) from None
        except token_error.PinIncorrect:
            raise KeyMissing(
                f"token {chosen.token!r} refuses the PIN: check keys.pkcs11.pin_file; most tokens "
                "lock after a few wrong ones"
            ) from None
        except (token_error.PKCS11Error, RuntimeError) as error:
            raise KeyMissing(
                f"{chosen.module}: the token cannot be opened ({_name(error)}): check "
                "keys.pkcs11.module and that this user may use it"
            ) from None


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except token_error.PKCS11Error as error:
        raise _Failed(f"the token failed: {_name(error)}") from None


def _name(error: Exception) -> str:
    text = " ".join(str(error).split())[:120]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _pin(settings: Settings) -> str:
    given = os.environ.get(PKCS11_PIN_VARIABLE, "")
    pin = given or read_private(settings.pkcs11_pin_file, "PIN of the token").strip()
    if not pin:
        raise BadInput(f"{settings.pkcs11_pin_file}: expected the PIN of the token, got nothing")
    return pin
