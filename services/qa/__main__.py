from services.qa.main import create_service
from services.qa.settings import QaSettings

if __name__ == "__main__":
    create_service(QaSettings()).run()
