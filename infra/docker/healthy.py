"""Health check of a worker's container: exit 0 when a worker of this host has a heartbeat on the broker."""  # noqa: INP001

import os
import socket
import sys

from shared import queue

client = queue.connect(os.environ["WINDROW_FARM__BROKER"])
names = client.zrange(queue.WORKERS, 0, -1)
beats = queue.read_beats(client.mget([queue.worker_key(name.decode()) for name in names]) if names else [])
sys.exit(0 if any(beat.host == socket.gethostname() for beat in beats) else 1)
