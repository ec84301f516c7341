"""Train the bundled network's successor for a given time: python benchmarks/gpu_pretrain.py OUT --data FOLDER --minutes 8.

The first call measures the speed of this machine and plans as many steps as fit; plan.json in OUT keeps the plan. Every
later call continues the same run, so a run may be spread over several sessions. FOLDER holds the real series of
pretrain_mix.json. `benchmarks/gpu.sh` calls this script on a machine with a GPU; `--device cpu` tries it anywhere.
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

from ttm_notebooks.core.files import atomic_write
from ttm_notebooks.model.pretrain import PretrainConfig, pretrain

MIX = Path(__file__).parent / "pretrain_mix.json"


def new_config(options: argparse.Namespace) -> PretrainConfig:
    """The configuration without its number of steps: the recipe of the bundled network with larger batches."""
    real = json.loads(MIX.read_text())["shares"] if options.data else {}
    return PretrainConfig(steps=0, batch_size=options.batch, learning_rate=options.rate, seed=options.seed,
                          real_folder="real" if options.data else None, real=real, save_every=options.save_every,
                          device=options.device, dtype="bfloat16" if options.device.startswith("cuda") else "float32")


def seconds_of(config: PretrainConfig, steps: int, workers: int) -> float:
    """Seconds of a run of `steps` steps in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        pretrain(replace(config, steps=steps, save_every=steps), folder, progress=False, workers=workers)
        return time.perf_counter() - started


def planned(options: argparse.Namespace) -> PretrainConfig:
    """The configuration of plan.json, or a new one whose steps fill `--minutes` at the measured speed."""
    path = options.out / "plan.json"
    if path.is_file():
        return PretrainConfig(**json.loads(path.read_text()))
    config, (few, many) = new_config(options), (options.trial, 4 * options.trial)
    each = (seconds_of(config, many, options.workers) - seconds_of(config, few, options.workers)) / (many - few)
    steps = max(many, int(options.minutes * 60 / max(each, 1e-4)))
    config = replace(config, steps=steps)
    atomic_write(path, json.dumps(asdict(config), indent=2))
    print(f"{each * 1000:.1f} ms per step of {config.batch_size} series: {steps:,} steps, "
          f"{2 * steps * config.batch_size / 1e6:.1f} M windows in {options.minutes:g} minutes")
    return config


def main(options: argparse.Namespace) -> None:
    """Train, or continue; print what was reached. The plan names the real series as "real", so that any machine fits."""
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.data:
        link = options.out / "real"
        link.unlink(missing_ok=True)
        link.symlink_to(options.data.resolve())
    os.chdir(options.out)
    config, started = planned(options), time.perf_counter()
    model = pretrain(config, options.out, progress=False, workers=options.workers)
    print(f"{config.steps:,} steps done in {time.perf_counter() - started:.0f} s; weights {model.weights_hash[:12]} in {options.out}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="folder with the real series; without it only synthetic windows")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--batch", type=int, default=1024), parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=20261201), parser.add_argument("--save-every", type=int, default=200)
    parser.add_argument("--trial", type=int, default=20, help="steps of the shorter speed trial")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    main(parser.parse_args())
