"""
A sentence-transformers folder of a few kilobytes: random weights from a seed, words of the sample.

Run as a program, so that torch stays out of the process of the tests and is loaded once:
`python -m tests.tiny_model FOLDER COMMAND…`, where each COMMAND is a command line of nextstep.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

DIM = 64
MAX_TOKENS = 64


def write(folder: Path) -> None:
    """Write the folder: a BERT of two layers, mean pooling, a word-piece tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from nextstep.ops.models import shipped_sample

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=1000, special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator(shipped_sample().passages, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder.mkdir(parents=True)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=MAX_TOKENS, pad_token="[PAD]",
        unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(7)
    BertModel(
        BertConfig(
            vocab_size=1000, hidden_size=DIM, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=2 * DIM, max_position_embeddings=MAX_TOKENS,
        )
    ).save_pretrained(folder)  # fmt: skip
    parts = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (path, kind) in enumerate(parts)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": MAX_TOKENS}))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": DIM, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "2_Normalize").mkdir()
    prompts = {"prompts": {"query": "ask: ", "passage": "tell: "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))


if __name__ == "__main__":
    from nextstep.cli.main import main

    write(Path(sys.argv[1]))
    codes = [main(shlex.split(line)) for line in sys.argv[2:]]
    sys.exit(max(codes, default=0))
