#!/usr/bin/env bash
# What a machine with a GPU is used for first: the table of precisions, then pre-training for the rest of the time.
#
#   bash benchmarks/gpu.sh OUT TRAIN HAB MINUTES [options of gpu_pretrain.py]
#
# OUT keeps the results and the training state; the same command continues a run that was cut off. TRAIN is the folder of
# real series for training, HAB the folder of avocado_hab_2017_2024.parquet, MINUTES the time for training. PYTHON names
# the interpreter (default python3); its environment needs the packages of the extra `train`.
set -euo pipefail
out=$(realpath -m "${1:?OUT, the folder for results}"); train=$(realpath "${2:?TRAIN, the folder of real series}")
hab=$(realpath "${3:?HAB, the folder of the precision data}"); minutes=${4:?MINUTES for training}
cd "$(dirname "$0")"
python=${PYTHON:-python3}
export PYTHONPATH="$PWD/..:${PYTHONPATH:-}" PYTHONUNBUFFERED=1
mkdir -p "$out"
"$python" - <<'EOF'
import torch
print(torch.__version__, torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU: the CPU is used")
EOF
# The table is made once; a failure is told and does not take the time of the training.
if [ ! -f "$out/precision.txt" ]; then
    "$python" precision.py --data "$hab" > "$out/precision.part" 2>&1 && mv "$out/precision.part" "$out/precision.txt" \
        || { echo "precision.py failed:"; tail -5 "$out/precision.part"; }
fi
"$python" gpu_pretrain.py "$out/weekly" --data "$train" --minutes "$minutes" "${@:5}"
