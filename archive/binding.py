"""What is said where a door's address cannot be bound: to whoever wrote the configuration."""

from collections.abc import Iterator
from contextlib import contextmanager

from archive.errors import ConfigurationInvalid


@contextmanager
def binding(door: str, host: str, port: int) -> Iterator[None]:
    """Bind the address of a door inside.

    Raises:
        ConfigurationInvalid: it cannot be bound; with the address and the system's reason.
    """
    try:
        yield
    except OSError as error:
        raise ConfigurationInvalid(
            f"The {door} address cannot be bound.", host=host, port=port, cause=error.strerror
        ) from error
