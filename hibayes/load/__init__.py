"""Loading: from logs, HELM suites and score tables to one row for each sample.

An *extractor* makes columns of a sample; `get_sample_df` reads samples and applies extractors.
Inspect is not needed to read its logs.
"""

from hibayes.load._extractor import Extractor, extractor
from hibayes.load.configs.config import DataLoaderConfig
from hibayes.load.extractor_config import ExtractorConfig
from hibayes.load.extractors import (
    base_extractor,
    cyber_extractor,
    domains_extractor,
    message_count_extractor,
    metadata_field_extractor,
    score_normalizer,
    token_extractor,
    tools_extractor,
)
from hibayes.load.load import get_sample_df

__all__ = [
    "DataLoaderConfig",
    "Extractor",
    "ExtractorConfig",
    "base_extractor",
    "cyber_extractor",
    "domains_extractor",
    "extractor",
    "get_sample_df",
    "message_count_extractor",
    "metadata_field_extractor",
    "score_normalizer",
    "token_extractor",
    "tools_extractor",
]
