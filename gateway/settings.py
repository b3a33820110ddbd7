"""Every setting of Loupe, read from the environment. README's table of variables is checked against this file."""

from __future__ import annotations

import os
import re
import secrets
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from gateway.network.guard import Guard

BASE_DIR = Path(__file__).resolve().parent.parent
MIB = 1024 * 1024
ROLES = ("owner", "editor", "viewer")


def env_text(name: str, default: str) -> str:
    return os.environ.get(name, default)


def env_int(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {text!r}.") from None


def env_choice(name: str, default: str, *choices: str) -> str:
    text = os.environ.get(name, default).lower()
    if text not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {text!r}.")
    return text


def env_list(name: str, default: str = "") -> list[str]:
    return [item.strip() for item in os.environ.get(name, default).split(",") if item.strip()]


def env_guard(name: str, *, ports: frozenset[int] | None = None, and_hosts_of: list[str] | None = None) -> Guard:
    """The hosts of a setting; and those of base URLs, which an operator named too."""
    try:
        named = [urlsplit(url).netloc for url in and_hosts_of or ()]
        return Guard.of([*env_list(name), *named], ports=ports)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name} must be hosts, networks such as 10.0.0.0/8, or loopback: {error}."
        ) from None


def env_base_path(name: str) -> str:
    """Where in the address of a proxy Loupe is; empty at its root."""
    text = os.environ.get(name, "").rstrip("/")
    if text and not re.fullmatch(r"(/[\w.~-]+)+", text):
        raise ImproperlyConfigured(f"{name} must be a path such as /loupe, not {text!r}.")
    return text


def env_pairs(name: str) -> dict[str, str]:
    """`a=1,b=2`, percent-encoded, as OpenTelemetry's variables are written (W3C Baggage)."""
    pairs = [item.partition("=") for item in env_list(name)]
    if wrong := [item for item, sign, _ in pairs if not (sign and item.strip())]:
        raise ImproperlyConfigured(f"{name} is written name=value,name=value; {wrong[0]!r} is no such pair.")
    return {unquote(item.strip()): unquote(value.strip()) for item, _, value in pairs}


def env_url(name: str) -> str:
    text = os.environ.get(name, "").rstrip("/")
    if text and not re.fullmatch(r"https?://[^/\s]+(/\S*)?", text):
        raise ImproperlyConfigured(f"{name} must be an address such as https://loupe.example.com, not {text!r}.")
    return text


def env_networks(name: str) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(text, strict=False) for text in env_list(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be addresses or networks such as 10.0.0.0/8: {error}.") from None


def env_roles(name: str) -> list[tuple[str, str]]:
    """Roles and what gives them, from a list such as `owner=ml-admins,viewer=*`."""
    pairs = [text.partition("=")[::2] for text in env_list(name)]
    wrong = [role for role, group in pairs if role not in ROLES or not group]
    if wrong:
        raise ImproperlyConfigured(
            f"{name} is written owner=group,editor=group,viewer=*: {wrong[0]!r} is not one of {', '.join(ROLES)}, "
            "or has no group."
        )
    return pairs


def kept_secret(path: Path) -> str:
    """A secret that is made once and kept in a file that only its owner can read."""
    try:
        return path.read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        pass
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The data folder {path.parent} is not writable ({error.strerror}). "
            "Name another one with LOUPE_DATA, or give this one to the user who runs Loupe."
        ) from error
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    return path.read_text().strip()


# The environment itself, for commands that are told the name of a variable
ENVIRONMENT = os.environ

# Where things are kept
LOUPE_DATA = Path(env_text("LOUPE_DATA", "data")).resolve()
BLOB_ROOT = LOUPE_DATA / "blobs"
BLOB_STORE_URL = env_text("BLOB_STORE_URL", "")
PRESIGNED_SECONDS = env_int("LOUPE_PRESIGNED_SECONDS", 0)
BLOB_CACHE_BYTES = env_int("LOUPE_BLOB_CACHE_MB", 1024) * MIB
JOURNAL_ROOT = LOUPE_DATA / "journal"
QUARANTINE_ROOT = LOUPE_DATA / "quarantine"

METRICS_ROOT = LOUPE_DATA / "metrics"
METRICS_TOKEN = env_text("LOUPE_METRICS_TOKEN", "")

# OpenTelemetry's own variables (opentelemetry.io/docs/specs/otel/protocol/exporter)
OTEL_TRACES_URL = env_url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
if not OTEL_TRACES_URL and (collector := env_url("OTEL_EXPORTER_OTLP_ENDPOINT")):
    OTEL_TRACES_URL = f"{collector}/v1/traces"
if env_choice("OTEL_SDK_DISABLED", "false", "true", "false") == "true":
    OTEL_TRACES_URL = ""
OTEL_HEADERS = env_pairs("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or env_pairs("OTEL_EXPORTER_OTLP_HEADERS")
OTEL_CERTIFICATE = env_text("OTEL_EXPORTER_OTLP_CERTIFICATE", "")
OTEL_RESOURCE = {"service.name": "loupe"} | env_pairs("OTEL_RESOURCE_ATTRIBUTES")
OTEL_RESOURCE["service.name"] = env_text("OTEL_SERVICE_NAME", OTEL_RESOURCE["service.name"])
OTEL_CONTENT = env_text("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "").lower() in (
    "true",
    "span_only",
    "span_and_event",
)
if OTEL_TRACES_URL and env_text("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf") != "http/protobuf":
    raise ImproperlyConfigured(
        "Loupe speaks OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, which every collector takes, mostly on port 4318."
    )
if OTEL_TRACES_URL and not (
    find_spec("opentelemetry") and find_spec("opentelemetry.proto")
):  # others bring the first alone
    raise ImproperlyConfigured("OTEL_EXPORTER_OTLP_ENDPOINT needs a library: pip install 'loupe[otel]'.")

# Secrets
SECRET_KEY = env_text("LOUPE_SECRET_KEY", "") or kept_secret(LOUPE_DATA / "secret-key")
ENCRYPTION_KEYS = env_list("LOUPE_ENCRYPTION_KEYS") or kept_secret(LOUPE_DATA / "encryption-keys").split()

# The front gate
ALLOWED_HOSTS = env_list("LOUPE_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
PROXIES = env_networks("LOUPE_PROXIES")
BASE_PATH = env_base_path("LOUPE_BASE_PATH")
ADDRESS = env_url("LOUPE_URL")
CORS_ORIGINS = [origin.rstrip("/").lower() for origin in env_list("LOUPE_CORS_ORIGINS")]
MAX_BODY_BYTES = env_int("LOUPE_MAX_BODY_MB", 64) * MIB
BYTES_IN_FLIGHT = env_int("LOUPE_BYTES_IN_FLIGHT_MB", 256) * MIB
CALLS_IN_FLIGHT = env_int("LOUPE_CALLS_IN_FLIGHT", 1024)
BODY_IDLE_SECONDS = env_int("LOUPE_BODY_IDLE_SECONDS", 15)

# Upstream
CONNECT_SECONDS = env_int("LOUPE_CONNECT_SECONDS", 10)
UPSTREAM_IDLE_SECONDS = env_int("LOUPE_UPSTREAM_IDLE_SECONDS", 600)
CUSTOM_HOSTS = env_list("LOUPE_CUSTOM_HOSTS")
PROVIDER_GUARD = env_guard("LOUPE_PROVIDER_HOSTS", and_hosts_of=CUSTOM_HOSTS)
PASS_REDIRECTS = env_choice("LOUPE_PASS_REDIRECTS", "off", "on", "off") == "on"

# Journal
JOURNAL_LIMIT_BYTES = env_int("LOUPE_JOURNAL_LIMIT_MB", 2048) * MIB
JOURNAL_FULL = env_choice("LOUPE_JOURNAL_FULL", "refuse", "refuse", "pass")
DISK_RESERVE_BYTES = env_int("LOUPE_DISK_RESERVE_MB", 64) * MIB

# How much of the search index a process of the server holds in memory
INDEX_CACHE_BYTES = env_int("LOUPE_INDEX_CACHE_MB", 512) * MIB

# What is kept, at most; 0 is four fifths of what the disk has for it
KEEP_BYTES = env_int("LOUPE_KEEP_GB", 0) * 1024 * MIB

# Copies of linked images
SNAPSHOT = env_choice("LOUPE_SNAPSHOT", "on", "on", "off")
FETCH_GUARD = env_guard("LOUPE_FETCH_HOSTS", ports=frozenset({80, 443}))
FETCH_MAX_BYTES = env_int("LOUPE_FETCH_MAX_MB", 20) * MIB
FETCH_SECONDS = env_int("LOUPE_FETCH_SECONDS", 10)

# Django
DEBUG = False
ROOT_URLCONF = "gateway.urls"
ASGI_APPLICATION = "gateway.asgi.application"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "gateway",
    "logsui",
    "prompts",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "logsui.middleware.whole_files",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "logsui.middleware.CompressedPages",
    "logsui.middleware.page_headers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "logsui.template_engine.Templates",
        "NAME": "django",
        "OPTIONS": {
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [("django.template.loaders.cached.Loader", ["logsui.template_loader.Loader"])],
                ),
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864; "
    "PRAGMA secure_delete=ON;",  # what is deleted is written over
}
DATABASE_URL = env_text("DATABASE_URL", "")
DATABASES: dict[str, Any] = {
    "default": dict(dj_database_url.parse(DATABASE_URL))
    if DATABASE_URL
    else {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": LOUPE_DATA / "loupe.sqlite3",
        "OPTIONS": SQLITE_OPTIONS,
    }
}
REPLICA_URL = env_text("DATABASE_REPLICA_URL", "")
if REPLICA_URL:
    DATABASES["replica"] = dict(dj_database_url.parse(REPLICA_URL))
    if {one["ENGINE"].rpartition(".")[2] for one in DATABASES.values()} != {"postgresql"}:
        raise ImproperlyConfigured(
            "DATABASE_REPLICA_URL needs a PostgreSQL in DATABASE_URL, and names a replica of it."
        )
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    for _database in DATABASES.values():
        # A new connection is a new process there, which takes longer than most of our queries.
        _database["CONN_HEALTH_CHECKS"] = True
        # It tries again ever more seldom while the database is away; who asks after two seconds of that has it tried at once.
        pool = {"min_size": 1, "max_size": 20, "timeout": 5, "reconnect_timeout": 2}
        _database.setdefault("OPTIONS", {})["pool"] = pool
# Who may see and who may change the pages of prompts, which know nothing of workspaces' members themselves
PROMPT_READER, PROMPT_EDITOR = "logsui.access.reader", "logsui.access.editor"

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

FORCE_SCRIPT_NAME = BASE_PATH or None
STATIC_URL = f"{BASE_PATH}/static/"
STATIC_ROOT = LOUPE_DATA / "static"
# In a checkout. A wheel has them in logsui, where Django looks by itself.
STATICFILES_DIRS = [folder for folder in [BASE_DIR / "static"] if folder.is_dir()]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_THOUSAND_SEPARATOR = True

# Tries of passwords are counted in it, and a full one forgets some
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 200_000},
    }
}
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",  # of passwords that were set before
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Single sign-on
OIDC_ISSUER = env_text("LOUPE_OIDC_ISSUER", "")
OIDC_CLIENT_ID = env_text("LOUPE_OIDC_CLIENT_ID", "")
OIDC_CLIENT_SECRET = env_text("LOUPE_OIDC_CLIENT_SECRET", "")
OIDC_SCOPES = env_text("LOUPE_OIDC_SCOPES", "openid profile email")
OIDC_NAME = env_text("LOUPE_OIDC_NAME", "single sign-on")
OIDC_HOURS = env_int("LOUPE_OIDC_HOURS", 12)
OIDC_WORKSPACE = env_text("LOUPE_OIDC_WORKSPACE", "default")
OIDC_ROLE = env_choice("LOUPE_OIDC_ROLE", "viewer", *ROLES)
OIDC_ROLE_CLAIM = env_text("LOUPE_OIDC_ROLE_CLAIM", "groups")
OIDC_ROLES = env_roles("LOUPE_OIDC_ROLES")
OIDC_DOMAINS = env_list("LOUPE_OIDC_DOMAINS")
PASSWORDS = env_choice("LOUPE_PASSWORDS", "on", "on", "off") == "on"
if OIDC_ISSUER and not (OIDC_CLIENT_ID and OIDC_CLIENT_SECRET):
    raise ImproperlyConfigured(
        "LOUPE_OIDC_ISSUER needs LOUPE_OIDC_CLIENT_ID and LOUPE_OIDC_CLIENT_SECRET beside it, as the provider gave them."
    )
if OIDC_ISSUER and find_spec("authlib") is None:
    raise ImproperlyConfigured("LOUPE_OIDC_ISSUER needs a library: pip install 'loupe[oidc]'.")
if not OIDC_ISSUER and not PASSWORDS:
    raise ImproperlyConfigured("LOUPE_PASSWORDS=off needs LOUPE_OIDC_ISSUER: there would be no way to log in.")

BEHIND_TLS = env_choice("LOUPE_HTTPS", "off", "on", "off") == "on"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_HSTS_SECONDS = 31536000 if BEHIND_TLS else 0
SESSION_COOKIE_NAME = "__Host-loupe_session" if BEHIND_TLS else "loupe_session"
CSRF_COOKIE_NAME = "__Host-loupe_csrf" if BEHIND_TLS else "csrftoken"
CSRF_FAILURE_VIEW = "logsui.access.form_refused"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = MIB
DATA_UPLOAD_MAX_NUMBER_FILES = 1000

LOG_LEVEL = env_choice("LOUPE_LOG_LEVEL", "info", "debug", "info", "warning", "error").upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "gateway.content.redaction.MaskingFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "gateway": {"level": LOG_LEVEL},
        "logsui": {"level": LOG_LEVEL},
        "django.request": {"level": "ERROR"},
    },
}
