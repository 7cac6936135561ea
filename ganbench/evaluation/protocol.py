"""All that defines a study's figures, as plain values for the ledger and the report."""

from collections.abc import Mapping, Sequence
from typing import Any

from ganbench.config.model import Evaluation
from ganbench.evaluation.context import Reference, StudyContext
from ganbench.plugin import Extractor, Metric


def describe_protocol(
    settings: Evaluation,
    extractor: Extractor,
    metrics: Sequence[Metric],
    left_out: Mapping[str, str],
    study: StudyContext,
    reference: Reference,
    collapse_rule: str,
    drawn: int | None,
) -> dict[str, Any]:
    """Return the protocol, JSON-able; the classifier's part only where it was used.

    ``left_out`` holds the metrics of ``auto`` that do not apply to the data, with the reason;
    ``drawn`` is the number of data items that metrics compare samples with, None if none does.
    """
    data = study.data
    count, width = reference.moments.count, len(reference.moments.mean)
    protocol: dict[str, Any] = {
        "extractor": {
            "name": extractor.name,
            "parameters": extractor.parameters.model_dump(mode="json"),
            **extractor.protocol(),
        },
        "feature_width": width,
        "samples": settings.samples,
        "sampling_batch": settings.batch_size,
        "quantisation": "clamped to [-1, 1], rounded to 8 bits, as saved images are"
        if data.is_image
        else "none: points",
        "reference": {
            "name": f"{data.name}, the training set",
            "sha256": study.data_hash,
            "count": count,
            "shape": list(data.shape),
            "classes": len(data.classes),
            "notes": list(data.notes),
        },
        "generator_weights": "as trained at the step evaluated; in an arm whose "
        "trick gives other weights to sample from (the makeup of the arms names it), those, and "
        "beside them, under `trained.`, the figures of the weights as trained",
        "batch_norm_statistics": settings.batch_norm,
        "arithmetic": "Fréchet distance from eigenvalues, float64",
        "pairs": f"distances over all pairs of {len(reference.features)} items",
        "metrics": {metric.name: metric.parameters.model_dump(mode="json") for metric in metrics},
        "collapse_rule": collapse_rule,
        "warnings": singular_warnings(settings.samples, count, width),
    }
    if drawn is not None:
        protocol["reference_draw"] = (
            f"{drawn} data items, the same at each evaluation, for the metrics that compare items "
            "with items"
        )
    if left_out:
        protocol["metrics_left_out"] = dict(left_out)
    if study.has_classifier:
        protocol["classifier"] = study.classifier_protocol()
    return protocol


def singular_warnings(samples: int, reference: int, width: int) -> list[str]:
    """Say of the samples, and of the reference, where they are too few for the features."""
    return [
        f"{count} {what} for {width} features: their covariance is singular, and the Fréchet "
        "distance, whose bias shrinks as 1/N, is far above its value at many samples; compare it "
        "only with distances at the same N"
        for what, count in (("samples", samples), ("reference items", reference))
        if count <= width
    ]
