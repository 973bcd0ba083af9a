#!/bin/sh
# Our training step beside TRL's on a GPU, true shapes, random weights.
#   sh benchmarks/finetune_gpu.sh OUT MODEL [MODEL ...]      a row, OUT/gpu-MODEL-METHOD.json, for each method
# Each row may take LIMIT seconds (300) and has ROUNDS rounds (2) of STEPS steps (12).
set -u
out=$1
work=${WORK:-/tmp/finetune_gpu}
shift
for model in "$@"; do
    for method in qlora lora; do
        row=$work/$model/gpu-$model-$method
        timeout "${LIMIT:-300}" python3 benchmarks/finetune_trl.py --model "$model" --method $method --batch 4 \
            --steps "${STEPS:-12}" --rounds "${ROUNDS:-2}" --out "$row"
        cp "$row.json" "$out/"
    done
done
