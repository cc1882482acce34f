"""A small provider of logins (OpenID Connect) for tests: real keys, real signatures, PKCE checked,
each code once. What it signs can be made wrong.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from desk_scene import free_port
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT = "encounter-desk"
SECRET = "the client's secret"


class LoginProvider:
    """Logs in whoever comes as `person`. `wrong` overrides claims of the ID token, `signed_by` is
    the key that signs, `algorithm` what the header says.
    """

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.keys = {
            "RS256": RSAKey.generate_key(2048, {"kid": "rsa"}),
            "ES256": ECKey.generate_key("P-256", {"kid": "ec"}),
        }
        self.algorithm = "RS256"
        self.signed_by: Any = None
        self.person: dict[str, Any] = {}
        self.wrong: dict[str, Any] = {}
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    def app(self) -> FastAPI:
        """Its pages."""
        made = FastAPI()
        made.add_api_route("/.well-known/openid-configuration", self._describe)
        made.add_api_route("/keys", self._show_keys)
        made.add_api_route("/authorize", self._authorize, response_model=None)
        made.add_api_route("/token", self._token, methods=["POST"], response_model=None)
        return made

    def _describe(self) -> dict[str, Any]:
        self.asked.append("description")
        at = self.issuer
        return {
            "issuer": at,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "jwks_uri": f"{at}/keys",
            "end_session_endpoint": f"{at}/out",
        }

    def _show_keys(self) -> dict[str, Any]:
        self.asked.append("keys")
        return {"keys": [key.as_dict(private=False) for key in self.keys.values()]}

    def _authorize(self, request: Request) -> Response:
        given = dict(request.query_params)
        assert given["response_type"] == "code"
        assert given["code_challenge_method"] == "S256"
        assert "openid" in given["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = given
        back = urlencode({"code": code, "state": given["state"]})
        return RedirectResponse(f"{given['redirect_uri']}?{back}", 302)

    async def _token(self, request: Request) -> Response:
        form = {k: v[0] for k, v in parse_qs((await request.body()).decode()).items()}
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        known = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        fits = known is not None and (
            known["code_challenge"] == challenge and known["redirect_uri"] == form["redirect_uri"]
        )
        if request.headers.get("authorization") != f"Basic {basic}" or not fits:
            return JSONResponse({"error": "invalid_grant"}, 400)
        assert known is not None
        return JSONResponse(
            {"access_token": "x", "token_type": "Bearer", "id_token": self._signed(known["nonce"])}
        )

    def _signed(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce}
        said = {**claims, **self.person, **self.wrong}
        said = {name: value for name, value in said.items() if value is not None}
        key = self.signed_by or self.keys[self.algorithm]
        header = {"alg": self.algorithm, "kid": self.keys.get(self.algorithm, key).kid}
        return jwt.encode(header, said, key, algorithms=[self.algorithm])


@contextmanager
def running_provider() -> Iterator[LoginProvider]:
    """A provider on a port of its own."""
    port = free_port()
    provider = LoginProvider(f"http://127.0.0.1:{port}")
    config = uvicorn.Config(provider.app(), port=port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    ends = time.monotonic() + 20
    while not server.started and time.monotonic() < ends:
        time.sleep(0.01)
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join()
