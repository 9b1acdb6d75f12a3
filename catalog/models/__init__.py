"""Models, their versions and licences, what they were made from, and what is done with them."""

from .imports import ModelImport
from .licences import Licence
from .lineage import Derivation, LicenceGrant, Source, SourceNotice
from .mixes import ModelMix
from .pages import Attribution, CatalogModel, FormerAddress, ModelPicture, ModelQuerySet, Visibility
from .reviews import Letter, ModelReport, PublicationRequest
from .runs import ModelRun, RunItem, RunResult, RunStep, RunTiming
from .versions import ModelFile, ModelVersion
from .workspaces import Chain, ChainStep, Workspace, WorkspaceModel

__all__ = [
    "Attribution",
    "CatalogModel",
    "Chain",
    "ChainStep",
    "Derivation",
    "FormerAddress",
    "Letter",
    "Licence",
    "LicenceGrant",
    "ModelFile",
    "ModelImport",
    "ModelMix",
    "ModelPicture",
    "ModelQuerySet",
    "ModelReport",
    "ModelRun",
    "ModelVersion",
    "PublicationRequest",
    "RunItem",
    "RunResult",
    "RunStep",
    "RunTiming",
    "Source",
    "SourceNotice",
    "Visibility",
    "Workspace",
    "WorkspaceModel",
]
