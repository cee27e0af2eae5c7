"""Modules that are imported when something of them is used, not when their users are.

pydicom imports numpy, Pillow and all decoders of pixels at its own import: 16 MB and half of the
time that a receiving process takes to start, which never looks at a pixel unless somebody
retrieves in another transfer syntax.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

PIXELS = (
    "numpy",
    "pydicom.pixels",
    "pydicom.pixels.utils",
    "pydicom.pixel_data_handlers",
    "pydicom.pixel_data_handlers.numpy_handler",
    "pydicom.pixel_data_handlers.rle_handler",
    "pydicom.pixel_data_handlers.pillow_handler",
    "pydicom.pixel_data_handlers.jpeg_ls_handler",
    "pydicom.pixel_data_handlers.gdcm_handler",
    "pydicom.pixel_data_handlers.pylibjpeg_handler",
)
"""What pydicom's other modules import of pixels; of ``pydicom.pixels`` they take functions."""


@contextmanager
def postponed(names: tuple[str, ...] = PIXELS) -> Iterator[None]:
    """Let what is imported inside have stand-ins for these modules.

    A function taken from a stand-in inside imports its module when it is called, any attribute
    asked for afterwards at once. Modules that are there already stay themselves, and whoever
    imports these modules afterwards gets themselves.
    """
    stand_ins = {name: _StandIn(name) for name in names if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


class _Nobody:
    """Has no instance, as no class has whose module was not imported."""


_ASKED_FOR_INSTANCES = frozenset({"numpy.ndarray"})
"""Classes of which pydicom asks of every value that it writes whether it is an instance."""


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of any module
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is not self:
            return _attribute(self.__name__, name)
        return sys.modules.get(f"{self.__name__}.{name}") or _function(self.__name__, name)


def _attribute(module: str, name: str) -> Any:  # noqa: ANN401 - any attribute of any module
    if f"{module}.{name}" in _ASKED_FOR_INSTANCES and module not in sys.modules:
        return _Nobody
    return getattr(importlib.import_module(module), name)


def _function(module: str, name: str) -> Callable[..., Any]:
    def function(*arguments: object, **keywords: object) -> object:
        return _attribute(module, name)(*arguments, **keywords)

    function.__name__ = name
    return function
