"""Frame skipping (Lee et al., V-NAW, section 3.3, equation 3) as a clip transform."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SkipFrames:
    """Drop each frame with the same probability, drawn once for the clip from U(low, high); then fill up to T again.

    refill: `resample` takes the kept frames in even steps, so that some come twice; `pad` repeats the last one.
    """

    def __init__(self, low: float, high: float, refill: str) -> None:
        self.low = low
        self.high = high
        self.refill = refill

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace `imgs`, T frames, and with them the `frame_numbers` (T,) that their labels are found by."""
        frames = results["imgs"]
        places = self.fill(self.keep(len(frames)), len(frames))
        results["imgs"] = [frames[place] for place in places]
        if "frame_numbers" in results:
            results["frame_numbers"] = results["frame_numbers"][places]
        return results

    def keep(self, count: int) -> np.ndarray:
        """The places, out of `count`, of the frames that are kept; if chance keeps none, one is drawn."""
        kept = np.flatnonzero(np.random.random(count) >= np.random.uniform(self.low, self.high))
        return kept if len(kept) else np.random.randint(count, size=1)

    def fill(self, kept: np.ndarray, count: int) -> np.ndarray:
        """`count` places, in the order of time, out of those kept."""
        if self.refill == "pad":
            return np.pad(kept, (0, count - len(kept)), mode="edge")
        return kept[np.arange(count) * len(kept) // count]
