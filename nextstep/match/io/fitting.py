"""
Whether the encoder at hand is the one that made the vectors: asked once, before the first answer.

Cosines between vectors of two models are numbers without a meaning, and nothing else would show.

Source: X-07, issue 6 "bad input".
"""

from __future__ import annotations

from typing import Any

from nextstep.errors import ModelError
from nextstep.processors.embed import embed_stage, recipe_name
from nextstep.processors.io.model_files import short_name
from nextstep.processors.io.prepared import encoder_identity
from nextstep.settings import Settings

_OTHER_DIM = """
SELECT dim FROM job_embeddings WHERE model_name = $1 AND recipe = $2 AND dim <> $3 LIMIT 1
"""
_VERSION = "SELECT version FROM stage_offsets WHERE stage = $1"


async def require_fitting(connection: Any, settings: Settings, dim: int) -> None:
    """
    Refuse an encoder that does not fit the stored vectors.

    Args:
        dim: numbers in a vector of the encoder at hand.

    Raises:
        ModelError: vectors of another size, or made by other weights under the same name.
    """
    model, stage = short_name(settings.embedding_model), embed_stage(settings).name
    other = await connection.fetchval(_OTHER_DIM, model, recipe_name(settings), dim)
    if other is not None:
        raise ModelError(
            f"the vectors of {model} have {other} dimensions, the encoder gives {dim}",
            detail="another model was embedded under this name",
            hint=f"nextstep rebuild {stage} --preview",
        )
    version = await connection.fetchval(_VERSION, stage)
    weights = encoder_identity(settings).sha256[:12]
    if version and _names_weights(version) and weights not in version:
        raise ModelError(
            f"the vectors of {model} were made by other weights than {weights}",
            detail=f"the stage's row says {version}",
            hint=f"nextstep rebuild {stage} --preview; or bring the old model files back",
        )


def _names_weights(version: str) -> bool:
    # A stage that has not run yet, or a test's, has a bare number.
    return "-" in version
