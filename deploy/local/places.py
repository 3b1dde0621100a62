from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

CHECKOUT = Path(__file__).resolve().parent.parent.parent


class PlaceSettings(BaseSettings):
    """Where a checkout keeps its stack (``LABELMESH_HOME``, ``LABELMESH_ENV_FILE``), and a machine its downloads.

    The downloads (``LABELMESH_CACHE``) are outside of any checkout, so that all of them share one copy.
    """

    model_config = SettingsConfigDict(env_prefix="LABELMESH_", frozen=True)

    home: Path = CHECKOUT / ".labelmesh"
    env_file: Path = CHECKOUT / ".env"
    cache: Path = Field(default_factory=lambda: Path.home() / ".cache" / "labelmesh")
