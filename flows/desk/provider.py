"""A provider of logins (OpenID Connect): authorization code with PKCE, and an ID token whose every
claim that counts is checked. Only where a setting names a provider does the desk reach the network.

OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3; RFC 7636 (PKCE); RFC 9207 (issuer in the answer).
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from data_contracts.errors import NotAuthorised, StackError
from infra.settings import ProviderSettings

# Signatures that are taken: never "none", never one that the client's secret can make.
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
SCOPES = "openid profile"
ASK_S = 10.0
# How long a person may take at the provider.
LOGIN_S = 600.0
_MOST_PENDING = 1_000
# The provider's own description and keys are asked for anew after this long, and at an unknown key.
_KEPT_S = 3600.0
_LEEWAY_S = 30


class Pending(NamedTuple):
    """A login that was begun: what the answer must fit, and where the person wanted to go."""

    state: str
    nonce: str
    verifier: str
    browser: str
    redirect_uri: str
    to: str
    ends_s: float


class PendingLogins:
    """Logins that were begun, in memory; each is answered once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_state: OrderedDict[str, Pending] = OrderedDict()

    def begin(self, redirect_uri: str, to: str) -> Pending:
        """A new one, with secrets of its own; `browser` goes into a cookie."""
        state, nonce, browser = (secrets.token_urlsafe(32) for _ in range(3))
        verifier = secrets.token_urlsafe(48)
        ends_s = time.monotonic() + LOGIN_S
        made = Pending(state, nonce, verifier, browser, redirect_uri, to, ends_s)
        with self._lock:
            self._by_state[_digest(state)] = made
            while len(self._by_state) > _MOST_PENDING:
                self._by_state.popitem(last=False)
        return made

    def take(self, state: str, browser: str) -> Pending | None:
        """The login of this answer, where the same browser began it and it is not over; never a
        second time.
        """
        with self._lock:
            found = self._by_state.pop(_digest(state), None)
        if found is None or time.monotonic() > found.ends_s:
            return None
        return found if secrets.compare_digest(found.browser.encode(), browser.encode()) else None


@dataclass
class Provider:
    """A provider as the settings name it."""

    settings: ProviderSettings
    pending: PendingLogins = field(default_factory=PendingLogins)
    _described: tuple[float, dict[str, Any]] = (0.0, {})
    _keys: tuple[float, dict[str, Any]] = (0.0, {})

    def address(self, login: Pending) -> str:
        """Where the browser goes to log in. Raises StackError where the provider does not
        answer.
        """
        url, _ = self._client(login.redirect_uri).create_authorization_url(
            self._endpoint("authorization_endpoint"),
            state=login.state,
            nonce=login.nonce,
            code_verifier=login.verifier,
        )
        return str(url)

    def claims(self, login: Pending, code: str) -> dict[str, Any]:
        """What the provider says of the person, for the code of its answer. Raises NotAuthorised
        where the code or any part of the ID token is not right, StackError where the provider does
        not answer.
        """
        try:
            token = self._client(login.redirect_uri).fetch_token(
                self._endpoint("token_endpoint"),
                grant_type="authorization_code",
                code=code,
                code_verifier=login.verifier,
                timeout=ASK_S,
                allow_redirects=False,
            )
        except AuthlibBaseError as error:
            raise NotAuthorised(f"the provider did not take the code: {error.error}") from None
        except (requests.RequestException, ValueError):
            raise StackError("the provider of logins does not answer") from None
        return self.checked(str(token.get("id_token") or ""), login.nonce)

    def checked(self, id_token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token, after its signature, issuer, audience, times and nonce. Raises
        NotAuthorised.
        """
        rules = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": self.settings.issuer or ""},
            aud={"essential": True, "value": self.settings.client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = self._decoded(id_token).claims
            rules.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise NotAuthorised(f"the provider's ID token: {type(error).__name__}") from None
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", self.settings.client_id if not several else "") != (
            self.settings.client_id
        ):
            raise NotAuthorised("the provider's ID token is for another client")
        return dict(claims)

    def end_session(self, back: str) -> str:
        """Where the browser ends its login at the provider; empty where there is none."""
        try:
            there = str(self._description().get("end_session_endpoint") or "")
        except StackError:
            return ""
        if not there:
            return ""
        asked = {"client_id": self.settings.client_id, "post_logout_redirect_uri": back}
        return f"{there}?{urlencode(asked)}"

    def _decoded(self, id_token: str) -> jwt.Token:
        try:
            return jwt.decode(id_token, self._key_set(), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            # The provider may have a new key since.
            self._keys = (0.0, {})
            return jwt.decode(id_token, self._key_set(), algorithms=ALGORITHMS)

    def _key_set(self) -> KeySet:
        if time.monotonic() > self._keys[0]:
            found = self._ask(self._endpoint("jwks_uri"))
            self._keys = time.monotonic() + _KEPT_S, found
        return KeySet.import_key_set(self._keys[1])  # type: ignore[arg-type]

    def _endpoint(self, name: str) -> str:
        url = str(self._description().get(name) or "")
        if not self.settings.may_reach(url):
            raise StackError(f"the provider of logins: expected an https address as its {name}")
        return url

    def _description(self) -> dict[str, Any]:
        if time.monotonic() > self._described[0]:
            issuer = self.settings.issuer or ""
            found = self._ask(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != issuer:
                raise StackError("the provider of logins calls itself by another issuer")
            self._described = time.monotonic() + _KEPT_S, found
        return self._described[1]

    def _ask(self, url: str) -> dict[str, Any]:
        try:
            answer = requests.get(url, timeout=ASK_S, allow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
        except (requests.RequestException, ValueError):
            raise StackError("the provider of logins does not answer") from None
        if answer.status_code != 200 or not isinstance(found, dict):
            raise StackError("the provider of logins does not answer as one")
        return found

    def _client(self, redirect_uri: str) -> OAuth2Session:
        secret = self.settings.client_secret.get_secret_value()
        return OAuth2Session(
            self.settings.client_id,
            secret or None,
            scope=SCOPES,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
        )


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode(errors="replace")).hexdigest()
