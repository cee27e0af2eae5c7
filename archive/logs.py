"""One keyed line on standard error for each thing done. Never a patient in it."""

import logging
import sys
import warnings

import structlog


def log_to_stderr(*, level: int = logging.INFO) -> None:
    """Let structlog and the standard library write keyed lines to standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="timestamp=%(asctime)s level=%(levelname)s logger=%(name)s event=%(message)r",
    )
    logging.getLogger("archive").setLevel(level)
    _silence_values()


def _silence_values() -> None:
    """Drop what pydicom says of odd values: it quotes them, birth dates and names among them."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"pydicom(\..*)?$")
