"""How Azure's services are shown a credential: a key, a token of Entra's, or a client that buys one."""

from __future__ import annotations

from gateway.providers.base import Setting

ENTRA = (
    Setting(
        "auth_mode",
        "Sign in with",
        "azure-auth-mode",
        "key: the resource's key; token: an Entra token; entra: a client's id and secret",
        choices=("key", "token", "entra"),
    ),
    Setting("tenant_id", "Entra tenant", "azure-entra-tenant-id", "for entra"),
    Setting("client_id", "Entra client id", "azure-entra-client-id", "for entra"),
    Setting("client_secret", "Entra client secret", "azure-entra-client-secret", secret=True),
    Setting("scope", "Entra scope", "azure-entra-scope", "empty is that of the public cloud"),
    Setting("authority", "Entra authority", help="empty is login.microsoftonline.com", address=True),
    Setting("ad_token", "Entra token", "azure-ad-token", secret=True),
)

MACHINE_IDENTITY = "Use a key, an Entra token, or a client's id and secret; the machine's own identity is not used"
REFUSED = {"azure-managed-client-id": MACHINE_IDENTITY, "azure-workload-client-id": MACHINE_IDENTITY}
