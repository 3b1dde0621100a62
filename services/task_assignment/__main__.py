from services.task_assignment.main import create_service
from services.task_assignment.settings import TaskAssignmentSettings

if __name__ == "__main__":
    create_service(TaskAssignmentSettings()).run()
