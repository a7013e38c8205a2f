"""The one module that knows what is broken in the installed MMEngine and MMAction2, and works round it.

Every work-around has a test in tests/training/test_adapter.py; one that is no longer needed can go with its test.
"""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import mmengine.device.utils
import mmengine.registry.registry
import torch
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from benchmark.errors import IntegrityError
from benchmark.training.devices import note_asking
from benchmark.training.stand_ins import scipy_later, stand_in
from benchmark.training.weights import read_checkpoint

# MMEngine asks when it is imported what computes, and would also take what nothing here is made for, such as `mps`.
note_asking()
mmengine.device.utils.DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

CPU_DDP_WRAPPER = {"type": "MMDistributedDataParallel", "device_ids": None}


def data_parallel() -> dict[str, Any]:
    """Options of a Runner that trains in a process group which is there already.

    A network may have parts that a batch does not reach, such as an expert that no token chose.
    """
    # Read, though `device_ids` says it, and warned of where they are missing.
    for name, value in (("LOCAL_RANK", "0"), ("OMP_NUM_THREADS", "1"), ("MKL_NUM_THREADS", "1")):
        os.environ.setdefault(name, value)
    # Every process sees its own device alone, whose number is 0; without one, no number at all.
    devices = [0] if torch.cuda.is_available() else None
    wrapper = {**CPU_DDP_WRAPPER, "device_ids": devices, "broadcast_buffers": False, "find_unused_parameters": True}
    # Otherwise it keeps every gradient twice, which a micro-batch that was found to fit does not know.
    wrapper["gradient_as_bucket_view"] = True
    return {"launcher": "pytorch", "cfg": {"model_wrapper_cfg": wrapper}}


def import_mmaction() -> None:
    """Import every MMAction2 model, transform and loss, so that their type names can be built.

    The 1.2.0 wheel lacks the package `mmaction.models.localizers.drn`, which `mmaction.models` imports; an empty
    stand-in under that name lets everything else load. mmcv-lite warns about operators nobody here uses.
    """
    package = "mmaction.models.localizers.drn"
    stand_in(package, __path__=[])
    stand_in(f"{package}.drn", DRN=type("DRN", (), {}))
    # MMEngine imports and calls whatever a `type` names by its path; a name must be a registered one.
    mmengine.registry.registry.get_object_from_string = lambda name: None
    with warnings.catch_warnings(), scipy_later():
        warnings.simplefilter("ignore")
        import mmaction.datasets.transforms
        import mmaction.engine
        import mmaction.models  # noqa: F401


class UnitRunner(Runner):
    """MMEngine's Runner, quiet on the terminal, leaving one log file, and able to resume under torch >= 2.6."""

    def build_logger(self, log_level: int | str = "INFO", log_file: str | None = None, **kwargs: Any) -> MMLogger:
        """A logger that writes to `log.txt` in the unit's folder and nowhere else (stdout carries results)."""
        logger = MMLogger.get_instance(
            name=self._experiment_name, logger_name="mmengine", log_level=log_level, log_file=str(_log_file(self))
        )
        for handler in [h for h in logger.handlers if not isinstance(h, logging.FileHandler)]:
            logger.removeHandler(handler)
        for handler in logger.handlers:
            # A line that cannot be written is lost; Python would print a traceback for each.
            handler.handleError = lambda record: None
        return logger

    def _log_env(self, env_cfg: dict) -> None:
        """Left out: it starts compilers to ask their versions, and the record holds the environment."""

    def train(self) -> Any:
        """Train, and end the loaders' workers: left to the garbage collector, each of them is waited for for 5 s."""
        try:
            return super().train()
        finally:
            for loop in (self._train_loop, self._val_loop):
                iterator = getattr(getattr(loop, "dataloader", None), "_iterator", None)
                if iterator is not None:
                    iterator._shutdown_workers()

    def dump_config(self) -> None:
        """Left out: the unit's `config.py` is written before training."""

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> Any:
        """Read a checkpoint of our own by the reader of all weight files; MMEngine's would allow more, and less."""
        checkpoint = read_checkpoint(Path(filename))
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        model = self.model.module if is_model_wrapper(self.model) else self.model
        try:
            model.load_state_dict(checkpoint["state_dict"])
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise IntegrityError(f"{filename}: is not a checkpoint of this model: {reason}") from error
        # Not saved (see `KeepCheckpoints`), and expected all the same.
        return {**checkpoint, "message_hub": {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}}}


def _log_file(runner: Runner) -> Path:
    folder = Path(runner.work_dir)
    # Runner has just made an empty folder named after the time of day.
    with contextlib.suppress(OSError):
        os.rmdir(runner._log_dir)
    return folder / "log.txt"


def close_logger(runner: Runner) -> None:
    """Release the log file; MMEngine keeps every logger it ever made."""
    for handler in list(runner.logger.handlers):
        with contextlib.suppress(OSError):
            handler.close()
        runner.logger.removeHandler(handler)


def quiet_logger() -> None:
    """Make a silent logger MMEngine's current one; without any it would print every initialised weight to stdout."""
    if not MMLogger.check_instance_created("quiet"):
        MMLogger.get_instance("quiet", log_level="ERROR")


@contextlib.contextmanager
def cpu_process_group(rank: int, world_size: int, store: Path) -> Iterator[None]:
    """A gloo process group for data-parallel training without an accelerator.

    MMEngine's own initialisation calls `torch.cuda.set_device`; it skips that when a group exists already. A config
    that runs inside must also set `model_wrapper_cfg=CPU_DDP_WRAPPER`, since MMEngine passes device ids otherwise.
    """
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=world_size, timeout=timedelta(minutes=2)
    )
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()
