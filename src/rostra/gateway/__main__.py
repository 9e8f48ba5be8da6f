"""``python -m rostra.gateway``: what the supervisor starts."""

from __future__ import annotations

import sys

from rostra.gateway.server import main

sys.exit(main())
