from services.gateway.main import create_service
from services.gateway.settings import GatewaySettings

if __name__ == "__main__":
    create_service(GatewaySettings()).run()
