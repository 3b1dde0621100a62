from services.annotation_store.main import create_service
from services.annotation_store.settings import AnnotationStoreSettings

if __name__ == "__main__":
    create_service(AnnotationStoreSettings()).run()
