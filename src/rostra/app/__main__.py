"""`python -m rostra.app`: the control process, as the supervisor starts it."""

from __future__ import annotations

import gc
import sys

gc.disable()  # loading makes a great many objects and no garbage: looking for it would take a quarter of the start
sys.modules["rich"] = None  # type: ignore[assignment]  # structlog would load it, for tracebacks we do not let it show

from rostra.app.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
