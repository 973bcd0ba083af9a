#!/bin/sh
# Our training step beside TRL's on a GPU, true shapes, random weights: the four rows of benchmarks/finetune/gpu-*.json.
#   sh benchmarks/finetune_gpu.sh OUT
# Each row may take LIMIT seconds (180); what it did not finish is missing, not made up.
set -u
out=$1
for model in smolvlm-500m qwen2-vl-2b; do
    for method in qlora lora; do
        name=gpu-$model-$method
        timeout "${LIMIT:-180}" python3 benchmarks/finetune_trl.py --model $model --method $method --batch 4 --steps 12 \
            --rounds "${ROUNDS:-2}" --out "${WORK:-/tmp/finetune_gpu}/$model/$name" &&
            cp "${WORK:-/tmp/finetune_gpu}/$model/$name.json" "$out/$name.json"
    done
done
