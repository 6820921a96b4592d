"""Fine-tune a sentence encoder on pairs of texts: `contrast.py BASE PAIRS OUT`, in an environment with torch.

BASE is a folder of published weights, PAIRS a JSON list of {"line", "about"}, OUT gets the weights as safetensors. The
loss is MultipleNegativesRankingLoss (Henderson et al. 2017, arXiv 1705.00652): a line is drawn to what the catalog says
of its own service, and away from what it says of the others of its batch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

EPOCHS = 8
BATCH = 16  # at most; a batch holds each text once, so there are as many pairs in it as services
LEARNING_RATE = 2e-5  # usual for encoders of this size, as in sentence-transformers' own examples
THREADS = 2
SEED = 7


def main(base: str, pairs: Path, out: Path) -> None:
    """Train and write; progress goes to stdout."""
    import torch
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments
    from sentence_transformers.losses import MultipleNegativesRankingLoss
    from sentence_transformers.training_args import BatchSamplers

    torch.set_num_threads(THREADS)
    torch.manual_seed(SEED)
    rows = [{"anchor": pair["line"], "positive": pair["about"]} for pair in json.loads(pairs.read_text())]
    model = SentenceTransformer(base, device="cpu")
    with TemporaryDirectory() as work:
        arguments = Arguments(
            output_dir=work,
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=min(BATCH, len({row["positive"] for row in rows})),
            learning_rate=LEARNING_RATE,
            batch_sampler=BatchSamplers.NO_DUPLICATES,
            save_strategy="no",
            report_to=[],
            seed=SEED,
            use_cpu=True,
            disable_tqdm=True,
        )
        loss = MultipleNegativesRankingLoss(model)
        SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=Dataset.from_list(rows), loss=loss
        ).train()
    model.save(str(out), create_model_card=False)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
