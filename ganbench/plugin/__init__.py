"""The public API: everything that a plugin author imports.

Versioned with the package; a change goes through a deprecation. ``docs/plugin-api.md``
documents every name below.
"""

from ganbench.plugin.architecture import (
    Architecture,
    ArchitectureParameters,
    Discriminator,
    Pair,
)
from ganbench.plugin.asset import Asset
from ganbench.plugin.dataset import (
    Centres,
    Data,
    DataError,
    Dataset,
    DatasetParameters,
    Progress,
)
from ganbench.plugin.errors import GanbenchError
from ganbench.plugin.hookspecs import hookimpl
from ganbench.plugin.host import Host, PluginError, Registered, UnknownPluginError
from ganbench.plugin.inspection import (
    Inspection,
    InspectionContext,
    InspectionParameters,
    NothingToShowError,
)
from ganbench.plugin.kinds import Kind
from ganbench.plugin.latent import Categorical, Code, LatentSpec, Uniform
from ganbench.plugin.launcher import Launcher, LauncherParameters, WorkerStatus
from ganbench.plugin.metric import (
    Extractor,
    ExtractorContext,
    ExtractorParameters,
    Metric,
    MetricContext,
    MetricParameters,
    can_classify,
)
from ganbench.plugin.networks import TrainedDiscriminator
from ganbench.plugin.objective import Objective, ObjectiveParameters
from ganbench.plugin.parameters import Annotated, Field, Parameters, Search, search_ranges
from ganbench.plugin.picture import Picture, Sampler
from ganbench.plugin.spec import (
    HALVES,
    Buffers,
    BuildContext,
    Half,
    OptimizerSpec,
    Role,
    TrainingSpec,
    keep_weights,
)
from ganbench.plugin.step import (
    Discriminate,
    DiscriminatorStep,
    Features,
    GeneratorStep,
    Judge,
)
from ganbench.plugin.trick import Stage, Trick, TrickModule, TrickParameters

__all__ = [
    "HALVES",
    "Annotated",
    "Architecture",
    "ArchitectureParameters",
    "Asset",
    "Buffers",
    "BuildContext",
    "Categorical",
    "Centres",
    "Code",
    "Data",
    "DataError",
    "Dataset",
    "DatasetParameters",
    "Discriminate",
    "Discriminator",
    "DiscriminatorStep",
    "Extractor",
    "ExtractorContext",
    "ExtractorParameters",
    "Features",
    "Field",
    "GanbenchError",
    "GeneratorStep",
    "Half",
    "Host",
    "Inspection",
    "InspectionContext",
    "InspectionParameters",
    "Judge",
    "Kind",
    "LatentSpec",
    "Launcher",
    "LauncherParameters",
    "Metric",
    "MetricContext",
    "MetricParameters",
    "NothingToShowError",
    "Objective",
    "ObjectiveParameters",
    "OptimizerSpec",
    "Pair",
    "Parameters",
    "Picture",
    "PluginError",
    "Progress",
    "Registered",
    "Role",
    "Sampler",
    "Search",
    "Stage",
    "TrainedDiscriminator",
    "TrainingSpec",
    "Trick",
    "TrickModule",
    "TrickParameters",
    "Uniform",
    "UnknownPluginError",
    "WorkerStatus",
    "can_classify",
    "hookimpl",
    "keep_weights",
    "search_ranges",
]
