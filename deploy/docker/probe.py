"""Health check of a container: ends with 0 when its service says that it is ready."""

import os
import sys
import urllib.request

port = os.environ[f"LABELMESH_{os.environ['SERVICE'].upper()}_PORT"]
try:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=4) as answer:
        sys.exit(0 if answer.status == 200 else 1)
except OSError:
    sys.exit(1)
