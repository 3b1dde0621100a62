from services.feedback.main import create_service
from services.feedback.settings import FeedbackSettings

if __name__ == "__main__":
    create_service(FeedbackSettings()).run()
