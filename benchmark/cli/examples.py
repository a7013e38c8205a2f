"""The examples below each command's `--help`, as they would be typed; a test parses every one."""

from __future__ import annotations

# By command, as it is written; those of `benchmark --help` itself first.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "": (
        "benchmark run --protocol dfew-5fold --demo                  # synthetic data: a leaderboard in minutes",
        "benchmark list methods                                      # also protocols, augmentations, datasets ...",
        "benchmark data show dfew                                    # how to obtain a dataset",
        "benchmark run --protocol dfew-5fold --method former-dfer --data-root /data",
        "benchmark doctor                                            # what is wrong with this environment?",
    ),
    "list": (
        "benchmark list methods",
        "benchmark list protocols --json",
        "benchmark list plugins                                      # what is installed, and which package it is from",
    ),
    "show": (
        "benchmark show former-dfer                                  # parameters, GFLOPs, recipe, reported results",
        "benchmark show former-dfer --protocol mafw-5fold            # its recipe on this protocol's dataset",
        "benchmark show tsm --frames 90                              # which frames of a clip of 90 it is tested on",
        "benchmark show dfew-5fold --splits --data-root /data        # sizes, class counts and hashes of every split",
    ),
    "doctor": (
        "benchmark doctor",
        "benchmark doctor --json                                     # for a report of a fault",
    ),
    "completion": (
        'eval "$(benchmark completion bash)"                         # in this shell',
        "benchmark completion bash >> ~/.bashrc                      # in every shell from now on",
        "benchmark completion zsh >> ~/.zshrc",
    ),
    "data list": ("benchmark data list",),
    "data show": (
        "benchmark data show dfew                                    # how to obtain it, and where files go",
    ),
    "data check": (
        "benchmark data check dfew --root /data/DFEW",
        "benchmark data check mafw --root /data/MAFW --workers 16 --json",
    ),
    "data prepare": (
        "benchmark data prepare videos/ --output prepared                       # the cascade that comes with OpenCV",
        "benchmark data prepare videos/ --output prepared --recipe centerface --people all",
    ),
    "data audit": (
        "benchmark data audit --protocol dfew-5fold --data-root /data    # the same content in train, val and test?",
        "benchmark data audit dfew ferv39k --data-root /data             # the same content in two datasets?",
    ),
    "data synthesize": (
        "benchmark data synthesize dfew data/DFEW --clips 60",
        "benchmark data synthesize table my-clips --seed 1",
    ),
    "pretrain": (
        "benchmark pretrain --method mae-dfer --demo                 # try it on synthetic data",
        "benchmark pretrain --method mae-dfer --videos /data/VoxCeleb2",
        "benchmark pretrain --method aen --stage guide --dataset raf-db --data-root /data",
    ),
    "run": (
        "benchmark run --protocol dfew-5fold --demo                  # the demo: synthetic data, small presets",
        "benchmark run --protocol dfew-5fold --method former-dfer --data-root /data",
        "benchmark run --protocol dfew-fold1 --method tsm --augment midas:alpha=0.4 --labels soft --data-root /data",
        "benchmark run --protocol dfew-5fold --method mae-dfer --init pretrained.pth --seeds 0,1,2 --data-root /data",
        "benchmark run --protocol dfew-5fold --method tsm --dry-run --data-root /data    # what would run",
        "benchmark run --protocol dfew-5fold --method tsm --data-root /data --on slurm --gpus-per-worker 1",
    ),
    "sweep": (
        "benchmark sweep midas-table-5 --data-root /data --dry-run   # every row, and what it will cost",
        "benchmark sweep v-naw-table-2 --demo                        # with small presets on synthetic data",
        "benchmark sweep --protocol dfew-fold1 --method tsm --augment none --augment midas --labels soft --seeds 0-2",
    ),
    "work run": (
        "benchmark work run --protocol dfew-5fold --method videomae --data-root /data    # start as many as you like",
    ),
    "work sweep": ("benchmark work sweep midas-table-5 --data-root /data",),
    "predict": (
        "benchmark predict --method former-dfer --weights best.pth video.mp4",
        "benchmark predict --method former-dfer --weights best.pth 'clips/*.avi' --timeline --json",
        "benchmark predict --method s2d --weights model=s2d.pth --weights landmark=mobilefacenet.pth faces/",
    ),
    "status": ("benchmark status", "benchmark status runs/dfew-5fold --json"),
    "prune": (
        "benchmark prune --dry-run                                   # what would go",
        "benchmark prune runs/dfew-5fold",
    ),
    "score": (
        "benchmark score runs/dfew-5fold/tsm/hard --data-root /data",
        "benchmark score runs/dfew-5fold/tsm/hard --metric ece --grouping my.yaml --data-root /data",
    ),
    "compare": (
        "benchmark compare runs/dfew-5fold/tsm/hard runs/dfew-5fold/videomae/hard --data-root /data",
        "benchmark compare runs/legacy-dfew-5fold/tsm/hard runs/dfew-5fold/tsm/hard    # how optimistic is the habit?",
    ),
    "robustness": (
        "benchmark robustness runs/dfew-5fold/tsm/hard --data-root /data",
        "benchmark robustness runs/dfew-5fold/tsm/hard --data-root /data --lite      # a fifth of the time",
    ),
    "unlabelled": ("benchmark unlabelled runs/dfew-5fold/tsm/hard --data-root /data",),
    "latency": (
        "benchmark latency runs/dfew-5fold/tsm/hard                  # on the accelerator, or else the processor",
        "benchmark latency runs/dfew-5fold/tsm/hard --device cpu --threads 4",
    ),
    "plot": (
        "benchmark plot runs/dfew-5fold/tsm/hard",
        "benchmark plot runs/dfew-5fold/tsm/hard --data-root /data --clip 00042 -o figures    # with the votes",
    ),
    "leaderboard add": ("benchmark leaderboard add runs/dfew-5fold/tsm/hard --data-root /data",),
    "leaderboard build": ("benchmark leaderboard build --html site",),
    "leaderboard check": ("benchmark leaderboard check", "benchmark leaderboard check --data-root /data --workers 8"),
    "leaderboard review": ("benchmark leaderboard review --base origin/main",),
    "leaderboard export": ("benchmark leaderboard export --hf leaderboard/records/ID > README.md",),
    "leaderboard attest": (
        "benchmark leaderboard attest leaderboard/records/ID --data-root /data    # only look: nothing is signed",
        "benchmark leaderboard attest leaderboard/records/ID --data-root /data --key ~/.ssh/id_ed25519 --by ada",
        "benchmark leaderboard attest leaderboard/records/ID --run runs/dfew-5fold/tsm/hard --data-root /data",
    ),
    "leaderboard reproduce": (
        "benchmark leaderboard reproduce leaderboard/records/ID --weights runs/dfew-5fold/tsm/hard --data-root /data",
    ),
    "new": (
        "benchmark new method my-dfer --from torch                   # a plain torch module: clips in, logits out",
        "benchmark new augmentation my-augmentation --path plugins",
    ),
    "check-plugin": (
        "benchmark check-plugin my-dfer",
        "benchmark check-plugin my-data --data-root /data --json     # also on a real copy",
    ),
    "weights inspect": ("benchmark weights inspect former_dfer.pth                   # which method's is it?",),
    "weights import": ("benchmark weights import --method mae-dfer official.pth mae-dfer.safetensors",),
}
