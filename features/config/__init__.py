"""Settings: config.toml as frozen, checked values, one module a table."""

from features.config.of_features import (
    FeatureSettings,
    IngestionSettings,
    OwnColumns,
    SentimentSettings,
)
from features.config.of_monitoring import MonitoringSettings
from features.config.of_playbook import LIFECYCLE, LifecycleSettings, PlaybookRow
from features.config.of_pruning import PruningSettings
from features.config.of_serving import ServingSettings
from features.config.of_training import (
    AssignmentSettings,
    FairnessSettings,
    RiskSettings,
    ScorecardSettings,
    TierSettings,
    TrainingSettings,
)
from features.config.read import Config, check_settings, read_config, read_toml
from features.config.section import Name, Section

__all__ = [
    "LIFECYCLE",
    "AssignmentSettings",
    "Config",
    "FairnessSettings",
    "FeatureSettings",
    "IngestionSettings",
    "LifecycleSettings",
    "MonitoringSettings",
    "Name",
    "OwnColumns",
    "PlaybookRow",
    "PruningSettings",
    "RiskSettings",
    "ScorecardSettings",
    "Section",
    "SentimentSettings",
    "ServingSettings",
    "TierSettings",
    "TrainingSettings",
    "check_settings",
    "read_config",
    "read_toml",
]
