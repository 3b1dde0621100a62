from services.versioning.main import create_service
from services.versioning.settings import VersioningSettings

if __name__ == "__main__":
    create_service(VersioningSettings()).run()
