"""Settings: read once at the edge, frozen, unknown keys forbidden, recorded in every artefact.

Sources, the first that says something wins: arguments, environment (`ENCOUNTER_`, nested with
`__`), a TOML file (`ENCOUNTER_CONFIG`, else `<home>/settings.toml`), what the local stack recorded
of itself in `<home>`, the defaults. Every field is explained in docs/settings.md; a test holds the
two together.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from data_contracts.account import Role
from data_contracts.authorisation import Limits
from data_contracts.errors import BadInput
from data_contracts.record import Record, in_words
from infra.home import Home
from infra.stack_record import read_record
from models.settings import ModelSettings

PREFIX = "ENCOUNTER_"
CONFIG_VARIABLE = "ENCOUNTER_CONFIG"
HOME_VARIABLE = "ENCOUNTER_HOME"
MASTER_KEY_VARIABLE = "ENCOUNTER_MASTER_KEY"
PKCS11_PIN_VARIABLE = "ENCOUNTER_PKCS11_PIN"
# Variables with the prefix that are read elsewhere and are not settings.
_OTHER_VARIABLES = {CONFIG_VARIABLE, MASTER_KEY_VARIABLE, PKCS11_PIN_VARIABLE}
_DEFAULT_HOME = "./.encounter"


class S3Settings(Record):
    """The object store."""

    endpoint: str | None = None
    access_key: str = ""
    secret_key: SecretStr = SecretStr("")
    secure: bool = False
    region: str = "us-east-1"
    bucket_prefix: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9-]{0,30})?$")
    connect_timeout_s: float = Field(default=3.0, gt=0, le=60)
    read_timeout_s: float = Field(default=60.0, gt=0, le=600)
    retries: int = Field(default=2, ge=0, le=10)

    @field_validator("endpoint")
    @classmethod
    def _host_and_port(cls, value: str | None) -> str | None:
        if value is not None and ("/" in value or not value):
            raise ValueError("give host:port without http:// or a path; set s3.secure for https")
        return value


class PrefectSettings(Record):
    """The orchestrator. `api_url` None: the local stack's server."""

    api_url: str | None = Field(default=None, pattern=r"^https?://.+/api$")
    auth_string: SecretStr = SecretStr("")
    allow_http: bool = False
    pool: str = Field(default="encounter", pattern=r"^[a-z][a-z0-9-]*$")
    heartbeat_s: int | None = Field(default=None, ge=30)
    alert_block: str = Field(default="", pattern=r"^([a-z0-9-]+/[a-z0-9-]+)?$")


class StackSettings(Record):
    """The local stack's ports on 127.0.0.1; 0 picks a free one and keeps it in
    `<home>/stack.json`.
    """

    s3_port: int = Field(default=0, ge=0, le=65535)
    prefect_port: int = Field(default=0, ge=0, le=65535)
    dask_port: int = Field(default=0, ge=0, le=65535)
    desk_port: int = Field(default=0, ge=0, le=65535)
    start_timeout_s: float = Field(default=120.0, gt=0, le=900)
    stop_timeout_s: float = Field(default=20.0, gt=0, le=300)
    volume_limit: int = Field(default=500, ge=50, le=10000)
    low_disk_mb: int = Field(default=5000, ge=100)
    # One volume of the store is at most 1 GB, and is written anew where something of it goes.
    reserve_mb: int = Field(default=1200, ge=0, le=100_000)


class ProviderSettings(Record):
    """A provider of logins to the desk (OpenID Connect); `issuer` None: accounts have passwords
    alone. `roles` maps values of the claim `role_claim` to roles.
    """

    issuer: str | None = Field(default=None, pattern=r"^https?://[^\s?#]+$", max_length=400)
    client_id: str = Field(default="", max_length=200)
    client_secret: SecretStr = SecretStr("")
    role_claim: str = Field(default="roles", min_length=1, max_length=100)
    roles: dict[str, Role] = Field(default_factory=dict)
    name_claim: str = Field(default="preferred_username", min_length=1, max_length=100)
    make_accounts: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.issuer is None:
            return self
        if not self.may_reach(self.issuer):
            raise ValueError("a provider of logins is reached by https")
        if not self.client_id:
            raise ValueError("a provider needs client_id, under which it knows the desk")
        if self.make_accounts and not self.roles:
            raise ValueError("make_accounts needs roles: which values of the claim are which role")
        return self

    @staticmethod
    def may_reach(url: str) -> bool:
        """Whether an address of a provider is asked: by TLS, or on this machine."""
        parts = urlsplit(url)
        own = parts.hostname in ("127.0.0.1", "localhost", "::1")
        return parts.scheme == "https" or (parts.scheme == "http" and own)


class DeskSettings(Record):
    """The desk: its TLS, whether other machines reach it, how long a login lasts, who else may
    vouch for a person.
    """

    network: bool = False
    certificate: Path | None = None
    key: Path | None = None
    idle_minutes: int = Field(default=20, ge=1, le=240)
    session_hours: int = Field(default=10, ge=1, le=24)
    provider: ProviderSettings = ProviderSettings()

    @model_validator(mode="after")
    def _encrypted_off_this_machine(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: set both or neither")
        if self.network and self.certificate is None:
            raise ValueError(
                "other machines reach the desk by TLS only: set desk.certificate and desk.key"
            )
        return self


class DaskSettings(Record):
    """Workers. `scheduler` None: the local stack's, or a cluster for the length of a run where no
    stack runs.
    """

    scheduler: str | None = Field(default=None, pattern=r"^(tcp|tls)://.+:\d+$")
    workers: int | None = Field(default=None, ge=1, le=1024)
    threads: int = Field(default=1, ge=1, le=64)
    memory_limit: str = Field(default="auto", pattern=r"^(auto|\d+(\.\d+)?\s?(MB|MiB|GB|GiB)|0)$")


class Pkcs11Settings(Record):
    """A token that keeps the master key: a hardware security module, or a key service that speaks
    PKCS#11.
    """

    module: Path = Path("/usr/lib/softhsm/libsofthsm2.so")
    token: str = Field(default="encounter", min_length=1, max_length=32)
    label: str = Field(default="encounter-master", min_length=1, max_length=64)
    pin_file: Path | None = None


class KeySettings(Record):
    """Where the master key comes from, and where the installation's signing key lies."""

    source: Literal["file", "env", "pkcs11"] = "file"
    file: Path | None = None
    pkcs11: Pkcs11Settings = Pkcs11Settings()
    signing_file: Path | None = None
    # The x of the root's public key (Ed25519): 32 bytes in base64url.
    root_public: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{43}$")


class RetentionSettings(Record):
    """Days until the purge deletes, by kind; how long the audit log is locked is `audit.lock_days`.

    The upper bounds keep a typing error from keeping things for ever.
    """

    case_days: int = Field(default=28, ge=1, le=90)
    picture_days: int = Field(default=28, ge=1, le=90)
    # A case that was begun on the desk and not filed.
    draft_days: int = Field(default=3, ge=1, le=14)
    # Beyond these a pass waits for a person's word: more cases at once, a clock that jumped, a
    # silence. They hold back what ends by time alone, never what a person asked for.
    at_once: int = Field(default=25, ge=1, le=10_000)
    clock_jump_s: float = Field(default=900.0, ge=60, le=86_400)
    quiet_days: int = Field(default=7, ge=1, le=90)
    # The recorder's own: nothing here deletes a recording, and no other value is taken.
    footage: Literal["never"] = "never"


class AuditSettings(Record):
    """The audit log. Days of object lock: two years is what Korea's safety standards (PIPA 29) ask
    of access records of sensitive data, six months what the EU AI Act (26(6)) asks of a deployer's
    logs.
    """

    checkpoint_every: int = Field(default=16, ge=1, le=1000)
    lock_days: int = Field(default=730, ge=180, le=3650)


class FootageSettings(Record):
    """How recorders name what `encounter ingest` loads: docs/footage.md."""

    recorder: str = ""
    pattern: str = ""
    zone: str = ""
    cameras: dict[str, str] = Field(default_factory=dict)
    # Read in place, the files of this table instead of the bucket.
    table: Path | None = None


class Settings(BaseSettings):
    """All settings. Frozen; make changed ones with `load_settings(**overrides)`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    home: Path = Path(_DEFAULT_HOME)
    s3: S3Settings = S3Settings()
    prefect: PrefectSettings = PrefectSettings()
    stack: StackSettings = StackSettings()
    desk: DeskSettings = DeskSettings()
    dask: DaskSettings = DaskSettings()
    keys: KeySettings = KeySettings()
    models: ModelSettings = ModelSettings()
    retention: RetentionSettings = RetentionSettings()
    audit: AuditSettings = AuditSettings()
    footage: FootageSettings = FootageSettings()
    # What an approval may name at most.
    grants: Limits = Limits()
    case_concurrency: int = Field(default=10, ge=1, le=100)
    report_link_base: str = Field(default="", pattern=r"^(https?://[^\s?#]+)?$")

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def paths(self) -> Home:
        """The home's paths."""
        return Home(self.home)

    @property
    def master_key_file(self) -> Path:
        """Where the master key's file is, or would be."""
        return self.keys.file or self.paths.master_key_file

    @property
    def pkcs11_pin_file(self) -> Path:
        """Where the PIN of the token that keeps the master key is."""
        return self.keys.pkcs11.pin_file or self.paths.pkcs11_pin_file

    @property
    def signing_key_file(self) -> Path:
        """Where the installation's signing key is, or would be."""
        return self.keys.signing_file or self.paths.signing_key_file

    def public(self) -> dict[str, Any]:
        """The settings without secrets and without this machine's paths and ports, to be recorded
        in artefacts.
        """
        out = self.model_dump(
            mode="json",
            exclude={
                "home": True,
                "stack": True,
                "desk": True,
                "s3": {"access_key", "secret_key"},
                "keys": {"file", "signing_file", "pkcs11"},
                "models": {"dir", "pack"},
                "footage": {"table"},
                "dask": {"scheduler"},
                "prefect": {"api_url", "auth_string", "alert_block"},
            },
        )
        return out

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, TOML file, the stack's record."""
        home = Home(_home_of(getattr(init_settings, "init_kwargs", {})))
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, init_kwargs=_read_toml(home)),
            InitSettingsSource(settings_cls, init_kwargs=_from_stack(home)),
        )


def load_settings(**overrides: Any) -> Settings:
    """Read the settings. Raises BadInput with one line that names the setting, what was expected
    and what came.
    """
    _refuse_unknown_variables(os.environ)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise BadInput(
            "settings: " + "; ".join(_one_error(e) for e in error.errors(include_url=False))
        ) from None
    except SettingsError as error:
        raise BadInput(
            f"settings: {error}; nested settings are written like {PREFIX}S3__ENDPOINT=host:port"
        ) from None


def setting_names(model: type[Any] = Settings, prefix: str = "") -> list[str]:
    """All settings as dotted names, such as `s3.endpoint`, in the order of the code."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, Record):
            names += setting_names(nested, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def variable_of(name: str) -> str:
    """The environment variable of a setting: `s3.endpoint` is `ENCOUNTER_S3__ENDPOINT`."""
    return PREFIX + name.replace(".", "__").upper()


def _home_of(arguments: dict[str, Any]) -> Path:
    return (
        Path(arguments.get("home") or os.environ.get(HOME_VARIABLE) or _DEFAULT_HOME)
        .expanduser()
        .absolute()
    )


def _read_toml(home: Home) -> dict[str, Any]:
    named = os.environ.get(CONFIG_VARIABLE)
    path = Path(named).expanduser() if named else home.settings_file
    if not path.is_file():
        if named:
            raise BadInput(
                f"{CONFIG_VARIABLE} names {path}, which is not a file: write it or unset the "
                "variable"
            )
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: expected TOML, {error}") from None


def _from_stack(home: Home) -> dict[str, Any]:
    record = read_record(home)
    if record is None:
        return {}
    out: dict[str, Any] = {}
    if record.s3_endpoint:
        out["s3"] = {"endpoint": record.s3_endpoint, **record.s3_credentials}
    if record.prefect_api_url:
        out["prefect"] = {"api_url": record.prefect_api_url}
    if record.desk_url:
        out["report_link_base"] = record.desk_url
    if record.dask_scheduler and any(entry.name == "dask" for entry in record.processes):
        out["dask"] = {"scheduler": record.dask_scheduler}
    return out


def _refuse_unknown_variables(names: Iterable[str]) -> None:
    known = {variable_of(name) for name in setting_names()}
    sections = {variable_of(name) for name in Settings.model_fields}
    for name in names:
        if (
            not name.upper().startswith(PREFIX)
            or name.upper() in known | sections | _OTHER_VARIABLES
        ):
            continue
        near = difflib.get_close_matches(name.upper(), sorted(known), 1)
        hint = f"did you mean {near[0]}?" if near else "docs/settings.md lists all"
        raise BadInput(f"the environment variable {name} is not a setting: {hint}")


def _one_error(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, setting_names(), 1)
        return f"{name} is not a setting: " + (
            f"did you mean {near[0]}?" if near else "docs/settings.md lists all"
        )
    secret = any(word in name for word in ("secret", "access_key", "auth_string"))
    # An address may hold a password before its host.
    secret = secret or "@" in str(error["input"])
    came = "" if secret or isinstance(error["input"], dict) else f", got {error['input']!r}"
    return f"{name} ({variable_of(name)}): {in_words(error['msg'])}{came}"
