"""The first tenant and its owner's key, without which nobody could make any."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from shared.clock import utc_now
from shared.errors import UnauthenticatedError
from shared.mongo import connect
from shared.security import ApiKey
from shared.settings import SharedSettings

OWNER_KEY_SETTING = "LABELMESH_OWNER_KEY"


class BootstrapSettings(SharedSettings):
    """What making a key needs beside the servers."""

    api_key_pepper: SecretStr
    owner_key: SecretStr | None = None
    env_file: str = ".env"


async def bootstrap(settings: BootstrapSettings, tenant_id: str, subject: str) -> tuple[str, bool]:
    """Make an owner's key for a tenant, unless the one in the settings is good for it.

    Returns:
        The key, and whether it is new.
    """
    client, database = connect(settings, "gateway")
    pepper = settings.api_key_pepper.get_secret_value()
    try:
        if (known := _key_in(settings)) is not None:
            found = await database["api_keys"].find_one({"_id": known.id})
            if found and found["digest"] == known.digest(pepper) and found["tenant_id"] == tenant_id:
                return str(known), False
        key = ApiKey.new()
        document = {
            "_id": key.id,
            "digest": key.digest(pepper),
            "tenant_id": tenant_id,
            "subject": subject,
            "roles": ["owner"],
            "projects": [],
            "created_at": utc_now(),
        }
        await database["api_keys"].insert_one(document)
        return str(key), True
    finally:
        await client.close()


def _key_in(settings: BootstrapSettings) -> ApiKey | None:
    if settings.owner_key is None:
        return None
    try:
        return ApiKey.parse(settings.owner_key.get_secret_value())
    except UnauthenticatedError:  # something that was never a key is replaced like a key that is not good any more
        return None


def remember_owner_key(env_file: Path, key: str) -> None:
    """Write the owner's key into the settings file, which only its owner may read."""
    lines = env_file.read_text().splitlines() if env_file.exists() else []
    kept = [line for line in lines if not line.startswith(f"{OWNER_KEY_SETTING}=")]
    env_file.touch(mode=0o600)
    env_file.chmod(0o600)
    env_file.write_text("\n".join([*kept, f"{OWNER_KEY_SETTING}={key}"]) + "\n")
