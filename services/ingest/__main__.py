from services.ingest.main import create_service
from services.ingest.settings import IngestSettings

if __name__ == "__main__":
    create_service(IngestSettings()).run()
